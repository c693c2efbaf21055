"""`within` over HTTP chooses what `recollect recommend --within` chooses; what is not there is refused by name."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from recollect.artifact import load, save
from recollect.cli import main
from recollect.config import plain
from recollect.data.log import Table
from recollect.recommend import recommend
from recollect.serve.engine import Engine
from recollect.serve.stores.volatile import VolatileStore

from ...conformance.material import SIZE
from ..material import ITEMS, TITLES, artifact
from ..test_engine import alike
from .running import Client, events, serving
from .test_app import listed

GENRES = np.array([("Comedy|Drama", "Drama", "Horror", None)[code % 4] for code in range(1, SIZE)], dtype=object)
YEARS = np.array([1990.0 + code % 3 for code in range(1, SIZE)])
HISTORY = ["item-04", "item-09", "item-31"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kept model with a table of items."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    model = artifact("gru4rec").model
    settings = {"model": {"name": "gru4rec", **plain(model.config)}}
    table = Table({"genres": GENRES, "year": YEARS})
    return save(folder, model, ITEMS, settings, titles=TITLES, item_table=table, about={"data": {"clock": True}})


@pytest.fixture
def engine(run: Path) -> Engine:
    return Engine(load(run), VolatileStore())


@pytest.mark.parametrize(
    ("asked", "bodies"),
    [
        (["genres=Comedy"], [{"genres": "Comedy"}, [{"genres": "Comedy"}]]),
        (["genres=Drama", "year=1991"], [{"genres": "Drama", "year": 1991}, [{"genres": "Drama"}, {"year": "1991"}]]),
        (["genres=Comedy", "genres=Drama"], [[{"genres": "Comedy"}, {"genres": "Drama"}]]),
        (["genres=Comedy|Drama", "year=1991.0"], [{"genres": "Comedy|Drama", "year": 1991.0}]),
    ],
)
def test_a_list_is_that_of_the_command(
    client: Client, run: Path, capsys: pytest.CaptureFixture[str], asked: list[str], bodies: list[object]
) -> None:
    options = [word for one in asked for word in ("--within", one)]
    capsys.readouterr()
    code = main.run(["recommend", str(run), "--history", "; ".join(HISTORY), "-k", "100", "--json", *options])
    rows = json.loads(capsys.readouterr().out)["recommendations"]
    assert code == 0 and 0 < len(rows) < 25
    for within in bodies:
        answer = client.post("/recommendations", {"history": HISTORY, "k": 100, "within": within})
        assert [(row["item"], row["rank"], row["title"]) for row in answer["items"]] == [
            (row["item"], row["rank"], row["title"]) for row in rows
        ]
        for name in ("logit", "probability"):  # of all items, before anything is excluded
            assert [row[name] for row in answer["items"]] == pytest.approx([row[name] for row in rows], rel=1e-4)


def test_the_query_takes_several_and_means_what_the_body_means(client: Client, engine: Engine) -> None:
    history = engine.store.history("ann").events
    (offline,) = recommend(
        engine.artifact.model,
        ITEMS,
        [[item for item, _ in history]],
        times=[[when for _, when in history]],
        titles=TITLES,
        k=100,
        within=[("genres", "Drama"), ("year", 1991)],
        item_table=engine.artifact.item_table,
    )
    query = client.get(f"/recommendations?user=ann&k=100&within=genres=Drama&within={quote(' year = 1991')}")
    body = client.post("/recommendations", {"user": "ann", "k": 100, "within": {"genres": "Drama", "year": 1991}})
    assert query == body
    alike(listed(query), list(offline))
    having = [i for i in range(SIZE - 1) if "Drama" in (GENRES[i] or "").split("|") and YEARS[i] == 1991]
    assert query["candidates"] == len(having)
    inside = [ITEMS.ids[i] for i in having]
    both = {"user": "ann", "allow": [*inside[1:], "item-01"], "deny": inside[1:3], "within": {"year": 1991}}
    answer = client.post("/recommendations", {**both, "seen": "allowed"})
    assert {row["item"] for row in answer["items"]} <= {*inside[3:], "item-01"} and answer["candidates"] > 0


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("within=genre=Drama", "within genre: the table of items has no such column; it has genres, year"),
        ("within=genres=drama", "within genres: no item has 'drama'; did you mean 'Drama'?"),
        ("within=year=2050", "within year: no item has '2050'; its numbers go from 1990 to 1992"),
        ("within=genres=Drama&within=year=late", "within year: 'late' is no number"),
        ("within=Drama", "within: 'Drama': expected column=value, for example genres=Comedy"),
        ("within=", "expected column=value"),
        ("within=" + "x" * 600, "within.0: String should have at most 512"),
        ("&".join(["within=genres=Drama"] * 21), "within: List should have at most 20"),
    ],
)
def test_what_is_not_there_is_refused_by_name(client: Client, query: str, why: str) -> None:
    status, answer, _ = client.request("GET", f"/recommendations?user=ann&{query}")
    assert status == 422 and why in answer["error"] and "\n" not in answer["error"] and len(answer["error"]) < 300


@pytest.mark.parametrize(
    ("within", "why"),
    [
        ("genres=Drama", 'within: columns with their values are expected, as {"genres": "Comedy"}'),
        (["genres=Drama"], "columns with their values are expected"),
        (None, "columns with their values are expected"),
        ({"genres": None}, "within: genres: a text, a number, true or false is expected"),
        ({"genres": ["Drama", "Comedy"]}, "for several values that must all hold send a list of mappings"),
        ({"genres": ""}, "genres: a text"),
        ({"genres": "x" * 257}, "of at most 256 letters"),
        ({"\ud800": "x"}, "within: not valid text"),
        ({"genres": "\ud800"}, "within: not valid text"),
        ({"year": 10**300}, "within: year: a text"),
        ({f"column-{n}": 1 for n in range(21)}, "within: 21 conditions, at most 20 are accepted"),
        ({"genre": "Drama"}, "within genre: the table of items has no such column; it has genres, year"),
        ({"genres": True}, "within genres: no item has 'true'"),
    ],
)
def test_what_is_no_condition_is_refused(client: Client, within: object, why: str) -> None:
    status, answer, _ = client.request("POST", "/recommendations", {"history": HISTORY, "within": within})
    assert status == 422 and why in answer["error"] and len(answer["error"]) < 300


def test_one_bad_request_in_a_batch_fails_no_other(engine: Engine, run: Path) -> None:
    with serving(engine) as client, ThreadPoolExecutor(16) as pool:
        client.post("/events", {"events": events(12)})
        expected = client.get("/recommendations?user=ann&within=genres=Drama")
        places = [f"/recommendations?user=ann&within=genres={'Drama' if n % 3 else 'None'}" for n in range(60)]
        for n, (status, answer, _) in enumerate(pool.map(lambda place: client.request("GET", place), places)):
            assert status == (200 if n % 3 else 422)
            if status == 200:  # who shares the batch may change the last bits of a logit, and nothing else
                for one, other in zip(answer["items"], expected["items"], strict=True):
                    assert one.pop("logit") == pytest.approx(other["logit"], abs=1e-5)
                    assert one.pop("probability") == pytest.approx(other["probability"], rel=1e-4)
                    assert one.items() <= other.items()


def test_a_model_without_a_table_says_so(engine: Engine) -> None:
    bare = Engine(dataclasses.replace(engine.artifact, table=None), VolatileStore())
    with serving(bare) as client:
        status, answer, _ = client.request("GET", "/recommendations?user=ann&within=genres=Drama")
        assert status == 422 and "the model was kept without a table of items" in answer["error"]
        assert client.get("/model")["columns"] == []
    with serving(engine) as client:
        assert client.get("/model")["columns"] == ["genres", "year"]
