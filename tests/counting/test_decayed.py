"""The memory of fading counts against a plain list that is kept event by event, in one piece and in several."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Events
from recollect.counting import decayed
from recollect.counting.decayed import Counts, fresh_counts, push_counts

from .material import Rows, rows_of_items


def kept_by_hand(history: list[int], fading: list[float], keep: int) -> dict[int, float]:
    """Code -> count, the code met longest ago first."""
    counts: dict[int, float] = {}
    for item, fades in zip(history, fading, strict=True):
        counts = {code: count * math.exp(-fades) for code, count in counts.items()}
        counts[item] = counts.pop(item, 0.0) + 1
        if len(counts) > keep:
            del counts[next(iter(counts))]
    return counts


def drawn_fading(rows: Rows, seed: int) -> list[list[float]]:
    draw = np.random.default_rng(seed)
    return [draw.choice([0.0, 0.1, 1.5], len(row)).tolist() for row in rows]


def pushed(memory: Counts, rows: Rows, fading: list[list[float]]) -> Counts:
    events = Events.of(rows)
    padded = torch.full(events.items.shape, 99.0, dtype=torch.float64)  # what stands in padding is not looked at
    for row, values in enumerate(fading):
        padded[row, : len(values)] = torch.tensor(values, dtype=torch.float64)
    return push_counts(memory, events, padded)


def assert_kept(memory: Counts, user: int, history: list[int], fading: list[float]) -> None:
    keep = memory.distinct.shape[1]
    wanted = kept_by_hand(history, fading, keep)
    assert memory.distinct[user].tolist() == [0] * (keep - len(wanted)) + list(wanted)
    counts = [0.0] * (keep - len(wanted)) + list(wanted.values())
    torch.testing.assert_close(memory.counts[user], torch.tensor(counts), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("piece", [1, 3, 64])
@given(pieces=st.lists(rows_of_items, min_size=1, max_size=4), keep=st.integers(1, 7), seed=st.integers(0, 99))
def test_it_is_what_a_list_keeps(piece: int, pieces: list[Rows], keep: int, seed: int) -> None:
    users = min(map(len, pieces))
    memory = fresh_counts(users, keep)
    faded = [drawn_fading(rows[:users], seed) for rows in pieces]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decayed, "PIECE", piece)
        for rows, fading in zip(pieces, faded, strict=True):
            memory = pushed(memory, rows[:users], fading)
    for user in range(users):
        history = [item for rows in pieces for item in rows[user]]
        assert_kept(memory, user, history, [fades for fading in faded for fades in fading[user]])


def test_a_forgotten_code_begins_anew() -> None:
    """One push and four give the same: 1 leaves a memory of two when 3 comes, and its first two events are gone."""
    history = [1, 1, 2, 3, 1]
    whole = pushed(fresh_counts(1, 2), [history], [[0.0] * 5])
    assert whole.distinct.tolist() == [[3, 1]] and whole.counts.tolist() == [[1, 1]]
    single = fresh_counts(1, 2)
    for item in history:
        single = pushed(single, [[item]], [[0.0]])
    assert torch.equal(single.distinct, whole.distinct) and torch.equal(single.counts, whole.counts)


def test_long_random_histories() -> None:
    draw = np.random.default_rng(1)
    rows = [(draw.zipf(1.3, size=n) % 60 + 1).tolist() for n in (700, 1, 300, 0)]
    fading = drawn_fading(rows, 2)
    memory = pushed(fresh_counts(4, 20), rows, fading)
    for user in range(4):
        assert_kept(memory, user, rows[user], fading[user])
