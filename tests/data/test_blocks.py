"""Padded blocks against lists: every event once, in order, and nothing in the padding."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.blocks import LEAST_COST, by_length, padded, pieces, ranges

rows = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=8)


def spans(drawn) -> tuple[np.ndarray, np.ndarray]:
    starts = np.array([a for a, _ in drawn])
    return starts, starts + np.array([n for _, n in drawn])


@given(rows)
def test_ranges(drawn):
    starts, ends = spans(drawn)
    numbers, row = ranges(starts, ends)
    assert numbers.tolist() == [n for a, b in zip(starts, ends, strict=True) for n in range(a, b)]
    assert row.tolist() == [r for r, (a, b) in enumerate(zip(starts, ends, strict=True)) for _ in range(a, b)]


@given(rows, st.integers(1, 12))
def test_pieces_put_together_are_the_rows(drawn, segment):
    starts, ends = spans(drawn)
    items, times = np.arange(1, 31, dtype=np.int32), np.arange(100, 130)
    found = [[] for _ in drawn]
    for events in pieces(items, times, starts, ends, segment):
        assert events.items.shape[1] <= segment and events.items.dtype == torch.int64
        assert not events.items[~events.mask].any() and not events.times[~events.mask].any()
        for row, length in enumerate(events.lengths.tolist()):
            found[row] += list(
                zip(events.items[row, :length].tolist(), events.times[row, :length].tolist(), strict=True)
            )
    assert found == [[(k + 1, k + 100) for k in range(a, b)] for a, b in zip(starts, ends, strict=True)]


def test_rows_without_events_are_a_block_of_width_zero():
    events = padded(np.zeros(0, np.int32), None, np.zeros(3, int), np.zeros(3, int))
    assert events.items.shape == (3, 0) and events.times is None and events.lengths.tolist() == [0, 0, 0]


@given(st.lists(st.integers(0, 500), max_size=40), st.integers(1, 2000), st.integers(1, 300))
def test_blocks_keep_the_budget_and_leave_nobody_out(lengths, budget, segment):
    lengths = np.array(lengths, dtype=np.int64)
    blocks = list(by_length(lengths, budget, segment))
    assert sorted(row for block in blocks for row in block.tolist()) == list(range(len(lengths)))
    for block in blocks:
        width = min(max(lengths[block].max(), LEAST_COST), segment)
        assert len(block) == 1 or len(block) * width <= budget
