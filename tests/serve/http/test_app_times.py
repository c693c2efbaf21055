"""What the service takes in can be read back: times of events are judged as the readers of logs judge them."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from typer.main import get_command

from recollect.cli.main import app
from recollect.cli.serve import _remark_on_times
from recollect.data.log import DataError
from recollect.data.sources import read
from recollect.data.times import span
from recollect.data.writing import write_blocks
from recollect.serve.engine import Engine
from recollect.serve.stores.replay import export_store
from recollect.serve.stores.volatile import VolatileStore

from ...architecture.tree import ROOT
from .running import Client, serving

FIRST = span.bounds()[0]


def exported(engine: Engine, path: Path) -> Path:
    write_blocks(path, export_store(engine.store))
    return path


@pytest.mark.parametrize("when", [0, -1, -(1 << 40), 5, FIRST - 1, 20_240_531])
def test_a_time_that_no_log_would_have_is_refused_with_its_field(client: Client, engine: Engine, when: int) -> None:
    before = engine.store.events
    status, answer, _ = client.request("POST", "/events", {"user": "ann", "item": "item-01", "time": when})
    assert status == 422 and answer["error"].startswith(f"time: {when} was sent, which is ")
    assert f"{span.date_of(when)} UTC, before 1990; seconds" in answer["error"] and "--any-time" in answer["error"]
    good = {"user": "ann", "item": "item-01"}
    many = {"events": [good, {**good, "time": when}]}
    status, answer, _ = client.request("POST", "/events", many)
    assert status == 422 and answer["error"].startswith("events.1.time: ")
    assert engine.store.events == before


def test_a_day_ahead_is_taken_and_more_is_not_and_every_page_says_so(client: Client, engine: Engine) -> None:
    now, event = int(time.time()), {"user": "ann", "item": "item-01"}
    assert client.request("POST", "/events", {**event, "time": now + 86_400 - 60})[0] == 200
    status, answer, _ = client.request("POST", "/events", {**event, "time": now + 86_400 + 60})
    assert status == 422 and "more than a day ahead" in answer["error"] and "--any-time" in answer["error"]
    with serving(Engine(engine.artifact, VolatileStore()), any_time=True) as other:
        assert other.request("POST", "/events", {**event, "time": now + 86_400 + 60})[0] == 200
    (said,) = (one.help for one in get_command(app).commands["serve"].params if "--any-time" in one.opts)  # type: ignore[attr-defined]
    assert "before 1990 or more than a day ahead" in said
    guide = " ".join((ROOT / "docs/guide/serve.md").read_text(encoding="utf-8").split())
    assert "Times before 1990 or more than a day ahead of the server's clock are refused" in guide


@pytest.mark.parametrize(
    ("ahead", "said"), [(0, ""), (80_000, ""), (90_000, "more than a day ahead"), (None, "before")]
)
def test_a_model_of_such_times_is_remarked_on(
    engine: Engine, capsys: pytest.CaptureFixture[str], ahead: int | None, said: str
) -> None:
    until = 5 if ahead is None else int(time.time()) + ahead
    model = dataclasses.replace(engine.artifact, card={**engine.artifact.card, "learnt": {"until": until}})
    _remark_on_times(model)
    text = capsys.readouterr().err
    assert (f"end at {until}, which is " in text and said in text and "--any-time" in text) if said else text == ""


def test_whatever_is_accepted_reads_as_a_log(client: Client, engine: Engine, tmp_path: Path) -> None:
    for when in (FIRST, FIRST + 1, 1_000_000_000, int(time.time()) + 86_000):
        client.post("/events", {"user": "ann", "item": "item-01", "time": when})
    log = read(exported(engine, tmp_path / "events.csv"))
    assert len(log) == engine.store.events and not log.dropped and log.clock
    assert log.times.min() == FIRST


def test_an_artificial_clock_is_taken_when_it_is_said_on_both_sides(engine: Engine, tmp_path: Path) -> None:
    with serving(engine, any_time=True) as client:
        for when in (0, -7, 40_000, None):
            client.post("/events", {"user": "ann", "item": "item-01", "time": when})
        status, answer, _ = client.request("POST", "/events", {"user": "ann", "item": "item-01", "time": 1 << 41})
        assert status == 422 and "milliseconds" in answer["error"]
    path = exported(engine, tmp_path / "events.csv")
    with pytest.raises(DataError, match="--time-format unix"):
        read(path)
    log = read(path, time_format="unix")
    assert sorted(log.times.tolist())[:3] == [-7, 0, 40_000] and len(log) == 4 and not log.dropped
