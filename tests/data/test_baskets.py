"""Baskets: what one time for several events does to a split, against a count over every user."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import baskets
from recollect.data.log import EventLog, build_log
from recollect.data.splits import loo, temporal
from recollect.data.summary import summarise

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40)


def _log(events: list[tuple[int, int]], clock: bool = True) -> EventLog:
    users, times = (np.array(side) for side in zip(*events, strict=True))
    return build_log(users, np.arange(len(events)), times if clock else None)


@given(EVENTS)
def test_last_events_of_one_time_are_counted(events: list[tuple[int, int]]) -> None:
    histories = [sorted(time for user, time in events if user == one) for one in range(5)]
    several = [times for times in histories if len(times) > 1]
    sizes = [times.count(times[-1]) for times in several if times.count(times[-1]) > 1]
    share, size = baskets.last_together(_log(events))
    assert share == (len(sizes) / len(several) if several else 0)
    assert size == (pytest.approx(np.mean(sizes)) if sizes else 0)
    assert baskets.last_together(_log(events, clock=False)) == (0, 0)


@given(st.integers(0, 2**32 - 1))
def test_the_split_that_is_named_never_asks_for_the_rest_of_a_basket(seed: int) -> None:
    draw = np.random.default_rng(seed)
    log = _log([(int(draw.integers(6)), int(time)) for time in np.repeat(np.arange(60), draw.integers(1, 4, 60))])
    own = temporal(log, target="first")
    assert baskets.share_of_rests(log, own.test) == baskets.share_of_rests(log, own.validation) == 0
    asked = loo(log).test
    shown = [log.times[at] == log.times[at - 1] for at in asked.positions]
    assert baskets.share_of_rests(log, asked) == pytest.approx(np.mean(shown))


def test_it_is_said_where_it_is_common() -> None:
    orders = _log([(user, order) for user in range(5) for order in range(4) for _ in range(3)])
    said = baskets.remark(orders, loo(orders).test)
    assert said.startswith("100.0% of the test targets") and "split.target=first" in said
    assert not baskets.remark(orders, temporal(orders, validation=0.4, test=0.7, target="first").test)
    (line,) = [line for line in summarise(orders).lines() if line.startswith("baskets")]
    assert "100.0% of the users with several share one time (3.0 events on average)" in line
    views = _log([(user, event) for user in range(5) for event in range(12)])
    assert not baskets.remark(views, loo(views).test)
    assert not [line for line in summarise(views).lines() if line.startswith("baskets")]
