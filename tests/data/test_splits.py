"""A split says what its targets ask that a reader would not guess: newcomers, and items that training has not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import DataError, EventLog, build_log
from recollect.data.splits import loo, newcomers, temporal


def drawn(seed: int) -> EventLog:
    rng = np.random.default_rng(seed)
    return build_log(rng.integers(0, 25, 80), rng.integers(0, 30, 80), np.sort(rng.integers(1, 500, 80)))


@given(seed=st.integers(0, 500), target=st.sampled_from(["first", "last", "all"]))
def test_newcomers_and_new_items_are_counted_one_by_one(seed: int, target: str) -> None:
    log = drawn(seed)
    try:
        split = temporal(log, target=target)  # type: ignore[arg-type]
    except DataError:  # nothing is left to learn from
        return
    learnt = set(split.train.items.tolist())
    for targets in (split.validation, split.test):
        before = [int(p - log.offsets[u]) for u, p in zip(targets.users, targets.positions, strict=True)]
        assert newcomers(log, targets) == before.count(0)
    unseen = sum(int(item) not in learnt for item in log.items[split.test.positions])
    assert list(split.notes.values()) == [unseen, newcomers(log, split.validation), newcomers(log, split.test)]
    assert all(f" {len(split.test):,} test" in one or " validation" in one for one in split.notes)


def test_some_logs_have_newcomers() -> None:
    assert any(newcomers(log, temporal(log, target="first").test) for log in map(drawn, range(9)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_cut_that_leaves_nothing_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="need 0 < validation < test < 1"):
        temporal(drawn(0), validation=share, test=share)


@given(seed=st.integers(0, 200), events=st.integers(1, 4), marked=st.booleans())
def test_so_many_last_events_of_each_user_are_held_out(seed: int, events: int, marked: bool) -> None:
    log = drawn(seed)
    asked = np.random.default_rng(seed).random(len(log)) < 0.7 if marked else None
    log = dataclasses.replace(log, targets=asked)
    held: dict[int, list[int]] = {}
    for user in range(len(log.user_ids)):
        first, end = log.offsets[user], log.offsets[user + 1]
        places = [place for place in range(first + 1, end) if asked is None or asked[place]]
        if len(places) >= 2 * events:
            held[user] = places[-2 * events :]
    if not held:
        with pytest.raises(DataError, match=f"no user has {2 * events + 1} events"):
            loo(log, events=events)
        return
    split = loo(log, events=events)
    assert split.validation.positions.tolist() == [place for user in held for place in held[user][:events]]
    assert split.test.positions.tolist() == [place for user in held for place in held[user][events:]]
    for targets in (split.validation, split.test):
        assert np.array_equal(log.users[targets.positions], targets.users)
    ends = [held[user][0] if user in held else log.offsets[user + 1] for user in range(len(log.user_ids))]
    assert split.train_ends.tolist() == ends
    assert list(split.notes.values()) == [len(log.user_ids) - len(held)]
    assert split.protocol == ("loo" if events == 1 else f"loo(events {events})")
    assert split.test.split == f"{split.protocol}, test"


def test_to_hold_out_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="events must be at least 1, got 0"):
        loo(drawn(0), events=0)
