"""Lines of the journal: what comes back is what was written, and a changed byte is found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.serve.stores.records import Event, Forget, Gap, Header, Record, from_line, next_number, to_line

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
RECORDS = st.one_of(
    st.builds(Event, TEXT, TEXT, st.integers(-(2**53), 2**53), TEXT),
    st.builds(Forget, TEXT),
    st.builds(Gap, st.integers(1, 2**40)),
)


@given(number=st.integers(1, 2**60), record=RECORDS)
def test_a_line_comes_back_as_it_was_written(number: int, record: Record) -> None:
    line = to_line(number, record)
    assert from_line(line) == (number, record)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and b"\0" not in line


@given(record=RECORDS, place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(record: Record, place: int, bit: int) -> None:
    line = bytearray(to_line(5, record))
    line[place % len(line)] ^= 1 << bit
    with pytest.raises(ValueError):
        from_line(bytes(line))


def test_a_line_is_plain_json_behind_its_checksum() -> None:
    line = to_line(7, Event("42", "\N{SNOWMAN}", 978300760, "a-1"))
    assert json.loads(line[9:]) == {"n": 7, "user": "42", "item": "\N{SNOWMAN}", "time": 978300760, "id": "a-1"}


def test_numbers_follow_one_another_over_gaps() -> None:
    assert next_number(1, Header()) == 1
    assert next_number(1, Event("a", "b", 0, "c")) == next_number(1, Forget("a")) == 2
    assert next_number(2, Gap(5)) == 7


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"user": ""}, "user is empty"),
        ({"item": "\N{SNOWMAN}" * 100}, "item has 300 bytes, at most 256"),
        ({"id": "\ud800"}, "id is not valid text"),
        ({"time": (1 << 53) + 1}, "is not in seconds"),
    ],
)
def test_what_cannot_be_kept_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Event(**{"user": "a", "item": "b", "time": 0, "id": "c", **fields})  # type: ignore[arg-type]
