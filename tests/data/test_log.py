"""The log as a value: it cannot be written to, and its digest, read once, names exactly what it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import recollect
from recollect.config import ConfigError
from recollect.data import log as logs
from recollect.data.log import EventLog, Vocabulary, build_log
from recollect.data.simulate import world
from recollect.data.simulate.generator import simulate
from recollect.data.splits import loo, temporal


def small(**changes: Any) -> EventLog:
    users, items = np.array(["b", "a", "a", "b"], dtype=object), np.array([3, 1, 2, 1])
    log = build_log(users, items, np.array([10, 20, 30, 40]))
    marks = {"weights": np.ones(4, np.float32), "targets": np.ones(4, bool)}
    return dataclasses.replace(log, **{**marks, **changes})


def test_a_digest_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    whole = logs.digest
    monkeypatch.setattr(logs, "digest", lambda data: asked.append(data) or whole(data))
    log = small()
    assert len({log.digest for _ in range(3)}) == 1 and len(asked) == 1
    assert dataclasses.replace(log).digest == log.digest and len(asked) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"users": np.array([0, 0, 0, 1], np.int32)},
        {"items": np.array([1, 2, 3, 3], np.int32)},
        {"times": np.array([20, 30, 10, 41])},
        {"weights": np.array([1, 1, 1, 0], np.float32)},
        {"targets": np.array([True, True, True, False])},
        {"user_ids": Vocabulary(np.array(["a", "c"], dtype=object))},
        {"item_ids": Vocabulary(np.array([1, 2, 4]), first=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_log_has_another_digest(change: dict[str, Any]) -> None:
    log = small()
    assert log.digest == small().digest
    assert dataclasses.replace(log, **change).digest != log.digest


@pytest.mark.parametrize("name", ["users", "items", "times", "weights", "targets"])
def test_a_log_cannot_be_written_to(name: str) -> None:
    given = getattr(small(), name).copy()
    log = small(**{name: given})
    with pytest.raises(ValueError, match="read-only"):
        getattr(log, name)[0] = 0
    given[0] = given[0]  # whoever gave it may go on
    for side in (log.user_ids, log.item_ids):
        with pytest.raises(ValueError, match="read-only"):
            side.ids[0] = side.ids[1]


def ranked(given: Any) -> Any:
    split = loo(simulate(world.SMALL).log)
    return recollect.rank(recollect.fit("popularity", split).model, given, split.test, seen="allowed")


@pytest.mark.parametrize("verb", [loo, temporal, ranked, lambda given: recollect.fit("popularity", given)])
def test_what_is_no_log_is_refused_with_what_to_do(verb: Callable[[Any], Any]) -> None:
    with pytest.raises(ConfigError, match=r"^a log is expected, not Simulation; take its \.log$"):
        verb(simulate(world.SMALL))
    with pytest.raises(ConfigError, match=r"^a log is expected, not str; recollect\.read"):
        verb("events.csv")
