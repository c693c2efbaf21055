"""The memory of distinct codes against a plain list, in one piece and in several."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Events
from recollect.counting.distinct import fresh_distinct, profiles, push_distinct

from .material import SIZE, Rows, last_distinct, rows_of_items


@given(st.lists(rows_of_items, min_size=1, max_size=4), st.integers(1, 7))
def test_memory_is_the_last_distinct_codes(pieces: list[Rows], keep: int) -> None:
    users = min(map(len, pieces))
    memory = fresh_distinct(users, keep)
    for piece in pieces:
        memory = push_distinct(memory, Events.of(piece[:users]))
    for user in range(users):
        known = last_distinct([item for piece in pieces for item in piece[user]], keep)
        assert memory[user].tolist() == [0] * (keep - len(known)) + known


@given(rows_of_items)
def test_profiles_are_sets(rows: Rows) -> None:
    memory = push_distinct(fresh_distinct(len(rows), SIZE), Events.of(rows))
    expected = np.zeros((len(rows), SIZE), np.float32)
    for user, row in enumerate(rows):
        expected[user, row] = 1
    assert np.array_equal(profiles(memory.numpy(), SIZE).toarray(), expected)


@given(rows_of_items, st.sampled_from([1.0, 0.5, 0.9]))
def test_profiles_weigh_by_how_many_items_came_since(rows: Rows, decay: float) -> None:
    memory = push_distinct(fresh_distinct(len(rows), SIZE), Events.of(rows))
    expected = np.zeros((len(rows), SIZE), np.float32)
    for user, row in enumerate(rows):
        for age, item in enumerate(reversed(last_distinct(row, SIZE))):
            expected[user, item] = decay**age
    assert np.allclose(profiles(memory.numpy(), SIZE, decay).toarray(), expected)
