"""What was met before any place of a history, against a walk with a dictionary."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.batches import Step
from recollect.data.last_meetings import LastMeetings


@given(
    rows=st.lists(st.lists(st.integers(1, 5), max_size=20), min_size=1, max_size=5),
    last=st.integers(1, 25),
    clock=st.booleans(),
)
def test_every_place_of_every_history(rows: list[list[int]], last: int, clock: bool) -> None:
    items = np.array([one for row in rows for one in row], dtype=np.int64)
    times = np.arange(len(items)) * 10 if clock else None
    offsets = np.cumsum([0, *map(len, rows)])
    asked = [(user, end) for user, row in enumerate(rows) for end in range(len(row) + 1)]
    starts, ends = (np.array(side) for side in zip(*((offsets[u], offsets[u] + end) for u, end in asked), strict=True))
    met = LastMeetings.of(items, times, offsets).before(starts, ends, last)
    for q, (user, end) in enumerate(asked):
        history, walked = rows[user][:end], {}
        for place, item in enumerate(history):
            walked.pop(item, None)  # the newest meeting stands last
            walked[item] = place
        seen = history[max(0, end - last) :]
        after = Counter(item for before, item in pairwise(seen) if before == seen[-1])
        wanted = [
            (item, history.count(item), end - 1 - place, after[item], offsets[user] * 10 + place * 10)
            for item, place in walked.items()
            if place >= end - last
        ]
        here = met.mask[q]
        assert met.items[q][here].tolist() == [one[0] for one in wanted]
        assert met.counts[q][here].tolist() == [one[1] for one in wanted]
        assert met.since[q][here].tolist() == [one[2] for one in wanted]
        assert met.followed[q][here].tolist() == [one[3] for one in wanted]
        if met.times is not None:
            assert met.times[q][here].tolist() == [one[4] for one in wanted]
    assert (met.times is None) is not clock


@given(
    rows=st.lists(st.lists(st.integers(1, 4), max_size=20), min_size=1, max_size=5),
    last=st.integers(1, 25),
    context=st.integers(1, 25),
)
def test_the_last_part_of_a_history_is_all_there_is(rows: list[list[int]], last: int, context: int) -> None:
    """In requests and in training, as if the events before had never been."""
    items, offsets = np.array([one for row in rows for one in row], dtype=np.int64), np.cumsum([0, *map(len, rows)])
    meetings = LastMeetings.of(items, np.arange(len(items)) * 10, offsets)
    lengths = np.diff(offsets)
    step = Step(0, np.arange(len(rows)), 0 * lengths, lengths, int(lengths.max()), True, True, np.ones(len(rows), bool))
    targets = np.arange(step.width) < lengths[:, None]
    batch = meetings.of_step(step, targets, last, at=False, context=context)
    ends = np.concatenate([np.zeros(0, int), *(offsets[u] + np.arange(n) for u, n in enumerate(lengths))])
    met = meetings.before(np.maximum(np.repeat(offsets[:-1], lengths), ends - context), ends, last)
    for q, end in enumerate(ends.tolist()):
        start = max(int(offsets[np.searchsorted(offsets, end, "right") - 1]), end - context)
        alone = LastMeetings.of(items[start:end], np.arange(start, end) * 10, np.array([0, end - start]))
        wanted = alone.before(np.array([0]), np.array([end - start]), last)
        here = met.mask[q]
        for found, hoped in zip(
            (met.items, met.counts, met.since, met.followed, met.times),
            (wanted.items, wanted.counts, wanted.since, wanted.followed, wanted.times),
            strict=True,
        ):  # fmt: skip
            assert found is not None and hoped is not None
            assert found[q][here].tolist() == hoped[0].tolist()
    assert batch["met_lengths"][torch.from_numpy(targets)].tolist() == met.mask.sum(1).tolist()
    assert batch["met_items"].tolist() == met.items[met.mask].tolist()
    assert batch["met_counts"].tolist() == met.counts[met.mask].tolist()
    assert batch["met_since"].tolist() == met.since[met.mask].tolist()
    assert batch["met_followed"].tolist() == met.followed[met.mask].tolist()


def test_nobody_and_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert LastMeetings.of(none, None, np.array([0])).before(none, none, 3).items.shape == (0, 0)
    assert LastMeetings.of(none, none, np.array([0, 0])).before(np.array([0]), np.array([0]), 3).items.shape == (1, 0)


@pytest.mark.parametrize("last", [1, 3])
def test_only_the_last_events_are_looked_at(last: int) -> None:
    items = np.array([4, 4, 2, 3, 2])
    met = LastMeetings.of(items, None, np.array([0, 5])).before(np.array([0]), np.array([5]), last)
    assert met.items.tolist() == [[2]] if last == 1 else [[3, 2]]
    assert met.counts[0, -1] == 2, "counts are of the whole history"
