"""Ids over HTTP are those that a reader makes of the same text in a file: no user or item is there twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recollect.artifact import Artifact
from recollect.data import id_forms, ids
from recollect.data.id_forms import FRACTIONS
from recollect.data.log import DataError, Vocabulary
from recollect.data.sources import read
from recollect.data.writing import write_blocks
from recollect.serve.engine import Engine
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.replay import export_store

from ...conformance.material import SIZE, START
from ..material import artifact
from .running import Client, serving

BLANKS = ["  ", "\u00a0", "\u200b", "\ufeff", "\u3000", "\u00ad"]
LETTERS = st.sampled_from([*"aE.0127-+", " ", "e\u0301", "\u00e9", "\ufb01", "\u05d0", "\N{SNOWMAN}", *BLANKS])
WHOLE = np.arange(12_000, 12_000 + SIZE - 1)


@given(st.lists(LETTERS, max_size=8).map("".join))
@example("\u200b 12 \u00a0")
@example("e\u0301 ")
@example(" 12.0")
@example("1.5E+7")
def test_one_id_is_what_a_column_makes_of_it(text: str) -> None:
    cleaned = id_forms.plain(text)
    column = pl.Series("id", [text, "0.5"])  # so that it is none of whole numbers
    why = id_forms.unreadable(cleaned)
    if why is not None and "rounded" in why:
        with pytest.raises(DataError, match="rounded"):
            ids.canonical(column, "here")
    else:
        assert ids.canonical(column, "here")[0] == (cleaned if why is None else None)
    assert id_forms.plain(cleaned) == cleaned


@pytest.mark.parametrize("text", ["12000.0", "0.0", "-7.00", "007.0", "1.50", "12.", ".0", "1e3", "12000"])
def test_a_whole_number_among_whole_numbers_is_what_a_column_makes_of_it(text: str) -> None:
    (column,) = ids.canonical(pl.Series("id", [text]), "here").to_list()
    assert id_forms.without_point_zero(text) == str(column)


def whole_numbers(*, users: bool = True, words: bool = False) -> Artifact:
    one = artifact("markov")
    return dataclasses.replace(
        one,
        items=Vocabulary(WHOLE, first=1),
        card={**one.card, "data": {"clock": True, FRACTIONS: not users}},
        settings={"data": {"keep_missing_words": words}},
    )


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Client]:
    with EmbeddedStore(tmp_path / "store") as store, serving(Engine(whole_numbers(), store)) as client:
        yield client


@pytest.mark.parametrize("user", [42, 42.0, "42", " 42 ", "42.0", "42.00", "\u00a042\u200b"])
def test_one_user_is_one_however_written(whole: Client, user: object) -> None:
    whole.post("/events", {"user": "42", "item": "12000", "time": START, "id": "first"})
    items = ["12001.0", " 12002", 12003]
    whole.post("/events", {"events": [{"user": user, "item": item, "time": START + 1} for item in items]})
    assert whole.get("/users")["users"] == ["42"]
    written = quote(str(user), safe="")
    assert [one["item"] for one in whole.get(f"/users/{written}")["history"]] == ["12000", "12001", "12002", "12003"]
    plainly = whole.get("/recommendations?user=42&k=30")
    assert plainly["events"] == 4 and whole.get(f"/recommendations?user={written}&k=30") == plainly
    for kind in ("allow", "deny"):
        strange, usual = ({kind: some} for some in (["12005.0", " 12006 "], ["12005", "12006"]))
        answers = [whole.post("/recommendations", {"user": user, **one}) for one in (strange, usual)]
        assert answers[0] == answers[1] and not answers[0]["unknown_items"]
    then = [whole.post("/recommendations", {"user": user, "then": [one]}) for one in ("12007.0", 12007)]
    history = [whole.post("/recommendations", {"history": [one]}) for one in ("12007.0", " 12007 ", 12007)]
    assert then[0] == then[1] and history[0] == history[1] == history[2] and not history[0]["unknown"]
    why = [whole.post("/explanations", {"user": user, "items": [one]}) for one in ("12007.0", 12007)]
    assert why[0] == why[1] and why[0]["events"] == 4 and not why[0]["unknown_items"]
    assert whole.request("GET", "/similar?item=12007.0")[1] == whole.request("GET", "/similar?item=12007")[1]
    assert whole.request("DELETE", f"/users/{written}")[0] == 200 and whole.get("/users")["users"] == []


def test_text_stays_text(client: Client) -> None:
    """Where nothing is known of the ids of users, only what no id has goes; leading zeros stay anywhere."""
    for user in ("12000.0", "12000", "007", "7", "caf\u00e9", "cafe\u0301 "):
        client.post("/events", {"user": user, "item": "item-01"})
    assert client.get("/users?limit=20")["users"] == ["007", "12000", "12000.0", "7", "ann", "caf\u00e9"]
    assert client.get("/users/cafe%CC%81")["events"] == 2


@pytest.mark.parametrize(("known", "kept"), [(["85116", "85123A"], False), (["85116", "85123A", "1.5"], True)])
def test_text_among_whole_numbers_is_as_a_column_makes_it(tmp_path: Path, known: list[str], kept: bool) -> None:
    """Half of a shop's ids are numbers, the others have a letter behind them."""
    (column,) = ids.canonical(pl.Series("id", [*known, "85116.0"]), "here").to_list()[-1:]
    vocabulary = Vocabulary(np.array([*known, *WHOLE[len(known) :].astype(str)], dtype=object), first=1)
    one = dataclasses.replace(artifact("markov"), items=vocabulary)
    with EmbeddedStore(tmp_path / "s") as store, serving(Engine(one, store)) as client:
        client.post("/events", {"user": "ann", "item": "85116.0"})
        (event,) = client.get("/users/ann")["history"]
    assert event["item"] == column == ("85116.0" if kept else "85116")


def test_leading_zeros_stay_among_whole_numbers(whole: Client) -> None:
    for user in ("7", "007", "7.5", "7.50"):
        whole.post("/events", {"user": user, "item": "12001"})
    assert whole.get("/users")["users"] == ["007", "7", "7.5", "7.50"]


@pytest.mark.parametrize("bad", ["null", "None", "NaN", "-", " N/A ", "1.2e+05", "1.75E5"])
def test_what_no_reader_would_read_back_is_refused(client: Client, engine: Engine, tmp_path: Path, bad: str) -> None:
    good = {"user": "ann", "item": "item-01"}
    for field in ("user", "item"):
        before = engine.store.events
        status, answer, _ = client.request("POST", "/events", {**good, field: bad})
        assert status == 422 and answer["error"].startswith(f"{field}: '{bad.strip()}' is ")
        status, answer, _ = client.request("POST", "/events", {"events": [good, {**good, field: bad}]})
        assert status == 422 and answer["error"].startswith(f"events.1.{field}: ") and engine.store.events == before
    client.post("/events", good)
    path = tmp_path / "events.csv"
    write_blocks(path, export_store(engine.store))
    log = read(path)
    assert len(log) == engine.store.events and not log.dropped


def test_words_are_ids_where_the_log_had_them_as_ids(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store, serving(Engine(whole_numbers(words=True), store)) as client:
        client.post("/events", {"user": "NA", "item": 12001})
        assert client.get("/users")["users"] == ["NA"]


@pytest.mark.parametrize("blank", ["", " ", "\u200b", " \u00a0 "])
def test_an_id_of_nothing_is_none(client: Client, blank: str) -> None:
    for body in ({"user": blank, "item": "x"}, {"user": "x", "item": blank}):
        assert client.request("POST", "/events", body)[0] == 422
    status, answer, _ = client.request("POST", "/recommendations", {"history": ["item-01", blank]})
    assert status == 422 and "the id at 1 is not" in answer["error"]
