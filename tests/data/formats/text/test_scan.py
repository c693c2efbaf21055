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


def rows_of(data: bytes, *, quotes: bool) -> list[tuple[int, bytes]]:
    """Each row and the line that it begins on, sign by sign."""
    rows, inside, begins, row = [], False, 0, b""
    for place, sign in enumerate(data):
        inside ^= quotes and sign == 34
        if sign == 10 and not inside:
            rows.append((begins, row))
            begins, row = data[: place + 1].count(b"\n"), b""
        else:
            row += bytes([sign])
    return [*rows, (begins, row)]


def fields_of(row: bytes, *, quotes: bool) -> int:
    parts = row.split(b'"')[::2] if quotes else [row]
    return 1 + sum(part.count(b",") for part in parts)


@pytest.mark.parametrize("part", [1, 3, 1 << 20])
@pytest.mark.parametrize("quotes", [False, True])
@given(data=st.text(alphabet='a,\n "', max_size=40).map(str.encode), width=st.integers(1, 4))
def test_uneven_rows(part: int, quotes: bool, data: bytes, width: int) -> None:
    with mock.patch.object(scan, "_CHUNK", part):
        found = scan.uneven(data, 0, ",", width, quotes=quotes)
    rows = [(line, fields_of(row, quotes=quotes)) for line, row in rows_of(data, quotes=quotes) if row.strip()]
    assert found.short == sum(fields < width for _, fields in rows)
    assert found.long == sum(fields > width for _, fields in rows)
    assert found.first == next((line for line, fields in rows if fields != width), 0)
