"""Lists in a cell: refused unless asked for, then an event for each entry, in order, and none lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from recollect.data import sources
from recollect.data.log import DataError, EventLog

BASKETS = {"u1": ["3", "17", "5"], "u2": ["4", "3"], "u3": ["3"], "u4": ["7", "9", "12", "3"], "u5": ["17", "4"]}


def _of(log: EventLog) -> dict[str, list[str]]:
    return {
        str(user): list(map(str, log.item_ids.decode(log.items[log.users == code]).tolist()))
        for code, user in enumerate(log.user_ids.ids)
    }


@pytest.mark.parametrize(
    "shown",
    [
        " ".join, "|".join, ", ".join, ";".join, json.dumps, str, lambda one: f"[{' '.join(one)}]",
        lambda one: f"{{{', '.join(one)}}}", lambda one: f"frozenset({{{', '.join(map(repr, one))}}})",
    ],
    ids=["space", "bar", "comma", "semicolon", "json", "python", "numpy", "set", "frozenset"],
)  # fmt: skip
def test_every_way_of_writing_a_list(shown: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pl.DataFrame({"user": list(BASKETS), "items": list(map(shown, BASKETS.values()))}).write_csv(path)
    with pytest.raises(DataError, match=r"'items' looks like lists .*--format lists"):
        sources.read(path, item="items")
    assert _of(sources.read(path, item="items", format="lists")) == BASKETS


def test_lists_of_words(tmp_path: Path) -> None:
    words = {
        "1": ["whole milk", "bread"],
        "2": ["bread"],
        "3": ["bread", "butter", "whole milk"],
        "4": ["butter", "bread"],
    }
    words["5"] = ["whole milk", "butter"]
    path = tmp_path / "x.csv"
    pl.DataFrame({"user": list(words), "item": [",".join(one) for one in words.values()]}).write_csv(path)
    with pytest.raises(DataError, match="looks like lists"):
        sources.read(path)
    assert _of(sources.read(path, format="lists")) == words


@pytest.mark.parametrize(
    "titles",
    [
        ["The Matrix", "Alien", "Rocky 2", "Rocky 3", "Matrix, The", "Godfather, The", "Godfather, The 2"],
        ["85123 A", "85123 B", "71053"],
        ["iPhone 12 64GB", "Samsung S10", "Galaxy 7 128 GB"],
        ["AC/DC; live", "Simon, Garfunkel", "Crosby, Stills, Nash"],
        ["2024-01-01", "10|20"],
    ],
)
def test_titles_and_codes_are_no_lists(titles: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pl.DataFrame({"user": range(len(titles)), "item": titles}).write_csv(path)
    assert sorted(sources.read(path).item_ids.ids.tolist()) == sorted(titles)


def test_tables_in_memory() -> None:
    columns = {"user": list(BASKETS), "item": list(BASKETS.values())}
    for made in (pd.DataFrame(columns), pl.DataFrame(columns)):
        with pytest.raises(DataError, match="'item' holds lists"):
            sources.read(made)
        assert _of(sources.read(made, format="lists")) == BASKETS
    with pytest.raises(DataError, match="no format but lists"):
        sources.read(pl.DataFrame(columns), format="parquet")


def test_times_that_are_lists_too_and_lists_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"user": 1, "items": [5, 6], "ts": [20, 10]},
        {"user": 2, "items": [], "ts": []},
        {"user": 3, "items": [5], "ts": [7]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    log = sources.read(path, item="items", format="lists")
    assert log.item_ids.decode(log.items).tolist() == [6, 5, 5] and log.times.tolist() == [10, 20, 7]
    assert [(one.reason, one.events, one.detail[-6:]) for one in log.dropped] == [("no item id", 1, "line 2")]


def test_a_bad_time_is_named_by_the_line_of_its_list(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time\n1,3 4 5,100\n2,6 7,soon\n")
    with pytest.raises(DataError, match=r"x\.csv line 3: 'soon'"):
        sources.read(path, format="lists")


def test_one_file_says_that_its_cells_are_items_after_all(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item\n1,3 4 5\n2,6 7\n")
    assert sources.read(path, format="delimited").item_ids.ids.tolist() == ["3 4 5", "6 7"]


def test_a_text_in_quotes_may_hold_the_sign_between_entries(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('user,item\nu,"[\'Me, Myself\', \'x\']"\nv,"[""y""]"\nw,"[]"\n')
    log = sources.read(tmp_path / "x.csv", format="lists")
    assert log.item_ids.decode(log.items).tolist() == ["Me, Myself", "x", "y"]
    assert [(one.reason, one.events) for one in log.dropped] == [("no item id", 1)]


@pytest.mark.parametrize("sign", ["|", ";", ", ", " "])
def test_lists_of_one_length_may_be_ids_and_are_said(sign: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    lists = {f"u{k}": [str(k), str(k * k % 7), "3"] for k in range(9)}
    pl.DataFrame({"user": list(lists), "item": list(map(sign.join, lists.values()))}).write_csv(path)
    for source in (path, pd.read_csv(path)):
        log = sources.read(source)
        assert (
            len(log) == 9 and sum("ids of 3 parts each" in note and "--format lists" in note for note in log.notes) == 1
        )
    log = sources.read(path, format="lists")
    assert _of(log) == lists and not [note for note in log.notes if "parts each" in note]


@pytest.mark.parametrize(
    "items",
    [
        ["{3F25-04E0}", "{9A11-77B2}", "{9A11-77B3}"],
        ["whole milk", "rye bread", "sour cream"],
        ["P1|red", "P2", "P3|blue"],
        ["a|b", "a|b", "a|b"],
        ["17", "18", "19"],
    ],
    ids=["braces", "words", "some", "one item", "numbers"],
)
def test_ids_with_signs_in_them_are_ids_without_a_word(items: list[str]) -> None:
    log = sources.read(pl.DataFrame({"user": ["u"] * 3, "item": items}))
    assert not [note for note in log.notes if "lists" in note]
