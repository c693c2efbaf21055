"""Keys sort as events follow one another, and what was written is read back or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.serve.stores import cells
from recollect.serve.stores.contract import Mark, Profile, Saved

NUMBERS, TIMES = st.integers(0, 1 << 60), st.integers(-(1 << 53), 1 << 53)
PLACES = st.tuples(NUMBERS, TIMES, NUMBERS)


@given(PLACES, PLACES)
def test_keys_sort_as_what_they_stand_for(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (cells.place_key(*one) < cells.place_key(*other)) == (one < other)
    assert cells.to_place(cells.place_key(*one)) == one
    assert cells.place_key(*one).startswith(cells.number_key(one[0]))
    assert cells.to_number(cells.number_key(one[0])) == one[0]


@given(st.binary(max_size=30), st.binary(max_size=30), st.integers(0), st.integers(0, 7))
def test_a_changed_value_is_refused_and_so_is_one_in_the_wrong_place(
    key: bytes, value: bytes, place: int, bit: int
) -> None:
    cell = cells.checking(key, value)
    assert cells.checked(key, memoryview(cell)) == value
    spoilt = bytearray(cell)
    spoilt[place % len(cell)] ^= 1 << bit
    for wrong in ((key, bytes(spoilt)), (key + b"x", cell)):
        with pytest.raises(cells.CellError):
            cells.checked(*wrong)


@given(NUMBERS, NUMBERS, NUMBERS, TIMES, st.floats(0, 1e12), st.binary(max_size=30))
def test_profiles_and_memories_come_back(
    number: int, count: int, last: int, newest: int, used: float, data: bytes
) -> None:
    profile = Profile(number, count, last, newest, 0)
    assert cells.to_profile(cells.profile_value(profile)) == profile
    memory = Saved("0123456789ab", Mark(last, count, newest), used, data)
    value = cells.memory_value(memory)
    assert cells.to_memory(value) == memory and cells.last_used(cells.checking(b"key", value)) == used
