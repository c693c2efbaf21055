"""Keys sort as events follow one another, and what was written is read back or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.serve.stores import encoding
from recollect.serve.stores.contract import Position, SavedMemory, UserSummary

NUMBERS, TIMES = st.integers(0, 1 << 60), st.integers(-(1 << 53), 1 << 53)
PLACES = st.tuples(NUMBERS, TIMES, NUMBERS)


@given(PLACES, PLACES)
def test_keys_sort_as_what_they_stand_for(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (encoding.event_key(*one) < encoding.event_key(*other)) == (one < other)
    assert encoding.from_event_key(encoding.event_key(*one)) == one
    assert encoding.event_key(*one).startswith(encoding.number_key(one[0]))
    assert encoding.to_number(encoding.number_key(one[0])) == one[0]


@given(st.binary(max_size=30), st.binary(max_size=30), st.integers(0), st.integers(0, 7))
def test_a_changed_value_is_refused_and_so_is_one_in_the_wrong_place(
    key: bytes, value: bytes, place: int, bit: int
) -> None:
    cell = encoding.with_checksum(key, value)
    assert encoding.verified(key, memoryview(cell)) == value
    spoilt = bytearray(cell)
    spoilt[place % len(cell)] ^= 1 << bit
    for wrong in ((key, bytes(spoilt)), (key + b"x", cell)):
        with pytest.raises(encoding.ChecksumError):
            encoding.verified(*wrong)


@given(NUMBERS, NUMBERS, NUMBERS, TIMES, st.floats(0, 1e12), st.binary(max_size=30))
def test_profiles_and_memories_come_back(
    number: int, count: int, last: int, newest: int, used: float, data: bytes
) -> None:
    assert encoding.to_count(encoding.count_value(count % (1 << 32))) == count % (1 << 32)
    summary = UserSummary(number, count, last, newest, 0)
    assert encoding.to_summary(encoding.summary_value(summary)) == summary
    memory = SavedMemory("0123456789ab", Position(last, count, newest), used, data)
    value = encoding.memory_value(memory)
    assert encoding.to_memory(value) == memory and encoding.last_used(encoding.with_checksum(b"key", value)) == used
