"""The counts against a slow count, whatever the bytes, and over the borders of parts."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.formats.text import scan

BYTES = st.text(alphabet='a,"\n', max_size=60).map(str.encode)


@pytest.mark.parametrize("part", [1, 2, 3, 7, 1 << 20])
@given(data=BYTES, start=st.integers(0, 5))
def test_counts_are_those_of_a_slow_count(part: int, data: bytes, start: int) -> None:
    with mock.patch.object(scan, "_CHUNK", part):
        counts = scan.count(data, start, ",", True)
    rest = data[start:]
    lines = rest.split(b"\n")[:-1] if rest.endswith(b"\n") else rest.split(b"\n") if rest else []
    assert counts.lines == len(lines) and counts.separators == rest.count(b",")
    inside, outside, odd, at = False, 0, [], start
    for number, line in enumerate(lines):
        if line.count(b'"') % 2:
            odd.append((number, at, at + len(line)))
        for sign in line.decode():
            inside ^= sign == '"'
            outside += sign == "," and not inside
        at += len(line) + 1
    assert counts.outside == outside and list(counts.odd) == odd
    lonely = [
        number
        for number, line in enumerate(lines)
        for place, sign in enumerate(line)
        if sign == 34
        and (place > 0 and line[place - 1 : place] not in (b",", b'"'))
        and (place < len(line) - 1 and line[place + 1 : place + 2] not in (b",", b'"'))
    ]
    assert counts.lonely == (lonely[0] if lonely else None)


@pytest.mark.parametrize("part", [1, 3, 1 << 20])
@given(data=st.text(alphabet="a,\n ", max_size=40).map(str.encode), width=st.integers(1, 4))
def test_uneven_lines(part: int, data: bytes, width: int) -> None:
    with mock.patch.object(scan, "_CHUNK", part):
        found, first = scan.uneven(data, 0, ",", width)
    wrong = [k for k, line in enumerate(data.split(b"\n")) if line.strip() and line.count(b",") != width - 1]
    assert found == len(wrong) and (not wrong or first == wrong[0])
