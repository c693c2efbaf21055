"""What the service takes in can be read back: times of events are judged as the readers of logs judge them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from recollect.data.log import DataError
from recollect.data.sources import read
from recollect.data.times import span
from recollect.data.writing import write_blocks
from recollect.serve.engine import Engine
from recollect.serve.stores.replay import export_store

from .running import Client, serving

FIRST = span.bounds()[0]


def exported(engine: Engine, path: Path) -> Path:
    write_blocks(path, export_store(engine.store))
    return path


@pytest.mark.parametrize("when", [0, -1, -(1 << 40), 5, FIRST - 1, 20_240_531])
def test_a_time_that_no_log_would_have_is_refused_with_its_field(client: Client, engine: Engine, when: int) -> None:
    before = engine.store.events
    status, answer, _ = client.request("POST", "/events", {"user": "ann", "item": "item-01", "time": when})
    assert status == 422 and answer["error"].startswith(f"time: {when} would be ")
    assert span.in_words() in answer["error"] and "--any-time" in answer["error"]
    good = {"user": "ann", "item": "item-01"}
    many = {"events": [good, {**good, "time": when}]}
    status, answer, _ = client.request("POST", "/events", many)
    assert status == 422 and answer["error"].startswith("events.1.time: ")
    assert engine.store.events == before


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
