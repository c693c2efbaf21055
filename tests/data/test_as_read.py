"""Events written for a reading: whatever it asks for, it reads them back; what cannot be written is refused or said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recollect.config import ConfigError, decode
from recollect.data.as_read import AsRead
from recollect.data.log import DataError, EventLog
from recollect.data.reading import Reading
from recollect.data.sources import read

TIMES = [1_714_559_400, 1_714_559_401, 1_714_559_401, 1_714_600_000, 1_717_236_059, 1_717_243_261]
USERS = ["17", "anna", "17", "007", 'the "shop", Köln', "anna"]
ITEMS = ["A;1", "A;1", "b 2", "A;1", "b|2", "b 2"]


def block(times: list[int] = TIMES) -> dict[str, np.ndarray]:
    users, items = (np.array(ids, dtype=object) for ids in (USERS, ITEMS))
    return {"number": np.arange(6), "user": users, "item": items, "time": np.array(times)}


def written(path: Path, options: dict[str, Any], *blocks: dict[str, np.ndarray]) -> AsRead:
    found = AsRead(decode(Reading, options, where=""), path)
    assert found.write(blocks or [block()]) == 6 * max(1, len(blocks))
    return found


def events(log: EventLog) -> Counter[tuple[str, str, int]]:
    users, items = log.user_ids.decode(log.users), log.item_ids.decode(log.items)
    return Counter(zip(map(str, users), map(str, items), log.times.tolist(), strict=True))


ALL = Counter(zip(USERS, ITEMS, TIMES, strict=True))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"user": "Kunde", "item": "Artikel", "time": "Datum", "time_format": "day-first"},
        {"time": "none"},
        {"time_format": "%d.%m.%Y %H:%M:%S"},
        {"time_format": "%-d.%-m.%y, %I:%M:%S %p"},
        {"time_format": "%Y-%m-%dT%H:%M:%S.%f%z"},
        {"time_format": "%d %b %Y %H:%M:%S,%f"},
        {"time_format": "unix"},
        {"time_format": "unix-ms"},
        {"time_format": "unix-us"},
        {"time_format": "unix-ns"},
        {"time_format": "excel"},
        {"time_format": "dates"},
        {"time": "day,clock"},
        {"time": "day,clock", "time_format": "%d/%m/%Y %H.%M.%S"},
        {"time": "day,clock", "time_format": "day-first"},
        {"time": "day,clock", "time_format": "excel"},
        {"encoding": "cp1252"},
        {"encoding": "utf-16"},
        {"values": ("price", "shop")},
        {"kind": "event"},
        {"where": "rating >= 4"},
        {"where": "rating > 1 and rating < 2"},
        {"where": "event == 'buy' and (price > 0 or not shop in ('a', 'b'))"},
        {"where": "day >= '2024-01-01' and returned != 'yes'"},
        {"where": "`how much` < -3 or event == 'buy'", "values": ("how much",)},
        {"user": "1", "item": "3", "time": "4"},
        {"user": "3", "item": "1", "time": "5", "where": "2 == 'buy'"},
        {"user": "1", "item": "2", "time": "3", "header": True},
        {"ties": "file-reversed"},
        {"ties": "file-reversed", "time": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_reading_asks_for_is_read_back(options: dict[str, Any], ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"events{ending}"
    found = written(path, options)
    log = read(path, **options)
    assert len(log) == 6 and not log.dropped
    if options.get("time") == "none":
        first = [log.item_ids.decode(log.items[log.offsets[code]]) for code in map(log.user_ids.find, ("17", "anna"))]
        assert first == ["A;1", "A;1"], "in the order in which they happened"
    else:
        assert events(log) == ALL
        ours = log.users == log.user_ids.find("17")
        assert log.item_ids.decode(log.items[ours]).tolist() == ["A;1", "b 2"]
    assert all("is" in note and "where" in note for note in found.notes)


@pytest.mark.parametrize("options", [
    {"separator": ";"}, {"separator": "\\t"}, {"separator": "|"}, {"separator": " "},
    {"separator": ";", "header": False, "user": "2", "item": "1", "time": "5"},
    {"user": "2", "item": "1", "time": "3", "header": False, "time_format": "%d.%m.%Y %H:%M:%S"},
    {"user": "1", "item": "4", "time": "2,3", "header": False},
    {"format": "delimited", "encoding": "latin-1", "where": "3 > 3", "user": "1", "item": "2", "time": "4"},
], ids=str)  # fmt: skip
def test_text_is_cut_as_the_reading_cuts_it(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    written(path, options)
    assert events(read(path, **options)) == ALL
    if options.get("header") is False:
        assert len(path.read_text().splitlines()) == 6


def test_a_file_without_header_and_time_has_its_rows_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    written(path, {"header": False})
    assert path.read_text().splitlines()[0] == "17,A;1"
    assert not read(path, header=False).clock


def test_rows_whose_last_comes_first_are_reversed_over_all_blocks(tmp_path: Path) -> None:
    early, late = block([5] * 6), block([5] * 6)
    late["item"] = np.array([f"late {n}" for n in range(6)], dtype=object)
    path = tmp_path / "events.csv"
    written(path, {"ties": "file-reversed"}, early, late)
    log = read(path, ties="file-reversed")
    ours = log.users == log.user_ids.find("17")
    assert log.item_ids.decode(log.items[ours]).tolist() == ["A;1", "b 2", "late 0", "late 2"]


def test_the_values_that_a_condition_wants_are_said(tmp_path: Path) -> None:
    found = written(tmp_path / "e.csv", {"where": "rating >= 4.5 and returned != 'yes'"})
    assert list(found.notes) == [
        "rating is 4.5 in every row: only rows with rating >= 4.5 and returned != 'yes' are events (data.where)"
    ]
    assert (tmp_path / "e.csv").read_text().splitlines()[:2] == [
        "user,item,time,rating,returned",
        f"17,A;1,{TIMES[0]},4.5,",
    ]


def test_a_condition_on_the_ids_themselves_leaves_out_what_it_leaves_out(tmp_path: Path) -> None:
    options = {"where": "item != 'A;1' and rating > 2"}
    written(tmp_path / "e.csv", options)
    assert events(read(tmp_path / "e.csv", **options)) == Counter({key: n for key, n in ALL.items() if key[1] != "A;1"})


@pytest.mark.parametrize("form, cut", [("%d.%m.%Y", 6), ("%Y-%m-%d %H:%M", 5), ("%Y%m%d%H%M%S", 0)])
def test_times_that_a_form_cuts_are_counted(form: str, cut: int, tmp_path: Path) -> None:
    found = written(tmp_path / "e.parquet", {"time_format": form})
    assert list(found.notes) == ([f"{cut} times are cut to what {form} says (data.time_format)"] if cut else [])
    step = {6: 86_400, 5: 60, 0: 1}[cut]
    assert read(tmp_path / "e.parquet", time_format=form).times.tolist() == [
        time // step * step for _, _, time in sorted(zip(USERS, range(6), TIMES, strict=True))
    ]


@pytest.mark.parametrize("options, name, said", [
    ({"separator": "::"}, "e.csv", r"'::' between its columns \(data\.separator\); give \.jsonl or \.parquet"),
    ({"format": "sequences"}, "e.csv", r"data\.format=sequences"),
    ({"format": "json"}, "e.csv", r"give a \.jsonl file"),
    ({"kind": "event", "targets": ("buy",)}, "e.csv", "kinds of events"),
    ({"user": "customer,visit"}, "e.csv", "a user of several columns"),
    ({"where": "rating > 4 and rating < 3"}, "e.csv", r"data\.where"),
    ({"where": "item == 'never'"}, "e.csv", r"data\.where"),
    ({"time": "day,clock", "time_format": "%Y%m%dT%H%M"}, "e.csv", "no blank to part them"),
])  # fmt: skip
def test_what_cannot_be_is_refused_before_there_is_a_file(
    options: dict[str, Any], name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        written(tmp_path / name, options)
    assert not list(tmp_path.iterdir())


def test_an_id_that_the_encoding_does_not_have_is_named(tmp_path: Path) -> None:
    strange = block() | {"item": np.array(["猫", *ITEMS[1:]], dtype=object)}
    with pytest.raises(DataError, match=r"'\\u732b' is no text in cp1252"):
        written(tmp_path / "e.csv", {"encoding": "cp1252"}, strange)
    assert not list(tmp_path.iterdir())
