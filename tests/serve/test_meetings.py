"""What was met, advanced event by event, is what a log of the same events says of its last ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Met, State
from recollect.data.last_meetings import LastMeetings
from recollect.serve.meetings import Meetings

HISTORIES = st.lists(st.lists(st.integers(1, 6), max_size=30), min_size=1, max_size=4)


def on_a_log(histories: list[list[tuple[int, int]]], last: int, timed: bool) -> Met:
    offsets = np.cumsum([0, *map(len, histories)])
    codes, times = (
        np.array([event[part] for events in histories for event in events], dtype=np.int64) for part in (0, 1)
    )
    return LastMeetings.of(codes, times if timed else None, offsets).before(offsets[:-1], offsets[1:], last)


def advanced(meetings: Meetings, state: State, before: list[list[int]], new: list[list[tuple[int, int]]]) -> State:
    """`before`: the items until then, which are counted with the new ones."""
    counted = [Counter([*old, *(item for item, _ in events)]) for old, events in zip(before, new, strict=True)]
    items, times = (np.array([event[part] for events in new for event in events], dtype=np.int64) for part in (0, 1))
    counts = [count[item] for count, events in zip(counted, new, strict=True) for item, _ in events]
    lengths = np.array([len(events) for events in new])
    return meetings.advance(state, lengths, items, times, np.array(counts, dtype=np.int64))


@given(histories=HISTORIES, last=st.integers(1, 9), cuts=st.lists(st.integers(0, 30), max_size=4), timed=st.booleans())
def test_it_is_that_of_the_log_however_the_events_come(
    histories: list[list[int]], last: int, cuts: list[int], timed: bool
) -> None:
    whole = [[(item, 100 + 7 * place) for place, item in enumerate(events)] for events in histories]
    meetings = Meetings(last, timed=timed)
    state, begin = meetings.fresh(len(whole)), 0
    for end in [*sorted(cuts), 30]:
        new = [events[begin:end] for events in whole]
        given_state, kept = state, state.map(torch.clone)
        state = advanced(meetings, state, [events[:begin] for events in histories], new)
        assert all(torch.equal(given_state[name], kept[name]) for name in kept), "a state is a value"
        begin = end
        met, expected = meetings.met(state), on_a_log([events[:end] for events in whole], last, timed)
        for name in ("items", "counts", "since", "followed", "times"):
            mine, theirs = getattr(met, name), getattr(expected, name)
            assert (mine is None and theirs is None) or torch.equal(mine, theirs), name
        alone = meetings.met(state.rows([0]))
        width = alone.items.shape[1]
        assert torch.equal(alone.items, met.items[:1, :width]) and not met.items[0, width:].any()
    fresh = meetings.fresh(1)
    assert {name: tensor.dtype for name, tensor in fresh.items()} == {name: state[name].dtype for name in state}
    assert all(state[name].shape[1:] == fresh[name].shape[1:] for name in fresh)


def test_nobody_has_met_nothing() -> None:
    met = Meetings(5, timed=True).met(Meetings(5, timed=True).fresh(3))
    assert met.items.shape == (3, 0) and met.times is not None and met.times.shape == (3, 0)
