"""What a model has learnt, event by event: against counting in Python, whatever log the events stand in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recollect.data.histories import Split
from recollect.data.learnt_events import LearntEvents
from recollect.data.log import DataError, EventLog, build_log
from recollect.data.parquet import write_columns
from recollect.data.splits import everything, loo, temporal

Row = tuple[int, str, int]


def rows(seed: int, users: int = 12, items: int = 8) -> list[Row]:
    """Many repeats, many ties, and here and there the same event twice."""
    draw = np.random.default_rng(seed)
    found: list[Row] = []
    for user in range(users):
        times = np.sort(draw.integers(0, 40, draw.integers(4, 25)))
        found += [(user, f"i{draw.integers(items)}", int(time)) for time in times]
    return found


def log_of(given: list[Row], *, clock: bool = True) -> EventLog:
    users, items, times = zip(*given, strict=True)
    times = np.array(times) if clock else None  # type: ignore[assignment]
    return build_log(np.array(users), np.array(items, dtype=object), times)  # type: ignore[arg-type]


def in_words(log: EventLog, positions: np.ndarray) -> list[Row]:
    users, items = log.user_ids.decode(log.users[positions]), log.item_ids.decode(log.items[positions])
    return list(zip(users.tolist(), items.tolist(), log.times[positions].tolist(), strict=True))


def trained_on(split: Split) -> Counter[Row]:
    inside = [p for p in range(len(split.log)) if p < split.train_ends[split.log.users[p]]]
    return Counter(in_words(split.log, np.array(inside)))


def test_the_targets_that_were_learnt_are_found_in_any_log() -> None:
    found = 0
    for seed in range(30):
        draw, old = np.random.default_rng(100 + seed), rows(seed)
        older = loo(log_of(old)) if seed % 2 else temporal(log_of(old))
        kept = [row for row in old if draw.random() < 0.7]
        new = [(user, f"i{draw.integers(10)}", 40 + step) for user in range(5) for step in range(draw.integers(3))]
        split = loo(log_of([*kept, *new]))
        learnt, whole = trained_on(older), Counter(in_words(split.log, np.arange(len(split.log))))
        for targets in (split.validation, split.test):
            asked = in_words(split.log, targets.positions)
            copies = Counter(asked)
            expected = [learnt[row] > whole[row] - copies[row] for row in asked]
            assert LearntEvents.of(older).among(split, targets).tolist() == expected
            found += sum(expected)
    assert found > 50


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("clock", [True, False])
def test_the_same_log_and_what_came_after_it_is_never_held_against_anybody(seed: int, clock: bool) -> None:
    draw, old = np.random.default_rng(seed), rows(seed)
    older = LearntEvents.of(loo(log_of(old, clock=clock)))
    new = [(user, f"i{draw.integers(9)}", 40 + step) for user in range(14) for step in range(draw.integers(4))]
    split = loo(log_of([*old, *new], clock=clock))
    assert not older.among(split, split.validation).any() and not older.among(split, split.test).any()


def test_a_model_of_every_event_has_learnt_every_target() -> None:
    log = log_of(rows(3))
    split = loo(log)
    record = LearntEvents.of(everything(log))
    assert record.among(split, split.test).all() and record.among(split, split.validation).all()
    assert record.until == log.times.max() and not LearntEvents.of(split).among(split, split.test).any()


def test_ids_are_taken_as_they_are_written() -> None:
    as_text = [(str(user), f"{item[1:]}", time) for user, item, time in rows(1)]
    users, items, times = zip(*as_text, strict=True)
    text = build_log(np.array(users, dtype=object), np.array(items, dtype=object), np.array(times))
    numbers = build_log(np.array([*map(int, users)]), np.array([*map(int, items)]), np.array(times))
    assert LearntEvents.of(everything(text)).among(loo(numbers), loo(numbers).test).all()
    assert LearntEvents.of(everything(text)).known(numbers, np.arange(len(numbers))) == len(numbers)


def test_what_older_weights_had_learnt_is_learnt_too(tmp_path: Path) -> None:
    first, second = rows(1), rows(2)
    both = LearntEvents.of(everything(log_of(second))).with_older(LearntEvents.of(everything(log_of(first))))
    for given in (first, second):
        split = loo(log_of(given))
        assert both.among(split, split.test).all()
    union = Counter(first) | Counter(second)
    assert len(both.numbers) == union.total()
    both.save(tmp_path / "learnt.parquet")
    again = LearntEvents.load(tmp_path / "learnt.parquet")
    assert again.numbers.tolist() == both.numbers.tolist() and (again.clock, again.until) == (True, both.until)
    assert not again.unrecorded


def test_older_events_that_nothing_records_are_known_by_their_time() -> None:
    log = log_of(rows(5))
    split = loo(log)
    cut = int(np.median(log.times[split.test.positions]))
    lost = LearntEvents(np.zeros(0, np.int64), True, cut, True, cut)
    found = LearntEvents.of(split).with_older(lost).among(split, split.test)
    assert found.tolist() == (log.times[split.test.positions] <= cut).tolist() and found.any() and not found.all()


def test_another_file_is_no_record(tmp_path: Path) -> None:
    write_columns(tmp_path / "other.parquet", {"event": np.arange(3)}, {})
    with pytest.raises(DataError, match="no record of learnt events"):
        LearntEvents.load(tmp_path / "other.parquet")
