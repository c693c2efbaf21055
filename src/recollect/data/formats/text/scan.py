"""One pass over the bytes that counts what a reader must account for: lines, separators, and quotes left open.

A line is *odd* if it holds an odd number of quotes: a record goes on below it, or a quote in it is a mere sign.
"""

from __future__ import annotations

import dataclasses

import numpy as np

_CHUNK = 1 << 20
_LINE, _RETURN, _QUOTE = 10, 13, 34


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """`odd`: (line counted from 0, start, end) of each odd line; of them the odd ones open and the even ones close."""

    lines: int
    separators: int
    outside: int
    """Separators that stand outside quotes, as far as quotes come in pairs."""
    blank: int
    """Empty lines at the end."""
    odd: tuple[tuple[int, int, int], ...] = ()
    lonely: int | None = None
    """The first line (from 0) with a quote in the middle of a field, which no writer of quoted fields leaves so."""

    @property
    def inside_lines(self) -> int:
        """Line ends between an odd line that opens and the one that closes."""
        pairs = zip(self.odd[::2], self.odd[1::2], strict=False)
        open_end = self.lines - self.odd[-1][0] - 1 if len(self.odd) % 2 else 0
        return sum(last[0] - first[0] for first, last in pairs) + open_end


def count(data: bytes, start: int, separator: str, quotes: bool) -> Counts:
    """Count from byte `start` on. `separator` is one ASCII sign; without `quotes`, quotes are signs like others."""
    sign = ord(separator)
    lines = separators = outside = 0
    odd: list[tuple[int, int, int]] = []
    parity = False  # whether an odd number of quotes lies behind us
    before = False  # the same at the last line end
    line_start = start
    lonely: int | None = None
    view = np.frombuffer(data, np.uint8, offset=start) if start < len(data) else np.zeros(0, np.uint8)
    for at in range(0, len(view), _CHUNK):
        chunk = view[at : at + _CHUNK]
        ends, cuts = chunk == _LINE, chunk == sign
        separators += int(np.count_nonzero(cuts))
        if not quotes:
            lines += int(np.count_nonzero(ends))
            continue
        quote = chunk == _QUOTE
        if lonely is None:
            place = _first_lonely(view, at, sign, quote | cuts | ends | (chunk == _RETURN), quote)
            lonely = None if place is None else lines + int(np.count_nonzero(ends[:place]))
        inside = np.bitwise_xor.accumulate(quote)
        inside ^= parity
        outside += int(np.count_nonzero(cuts & ~inside))
        if before or (ends & inside).any():
            places = np.flatnonzero(ends)
            states = inside[places]
            turned = np.flatnonzero(states != np.concatenate(([before], states[:-1])))
            for turn in turned.tolist():
                place = int(places[turn])
                first = line_start if turn == 0 else start + at + int(places[turn - 1]) + 1
                odd.append((lines + turn, first, start + at + place))
        lines += int(np.count_nonzero(ends))
        parity = bool(inside[-1])
        if ends.any():
            last = int(len(ends) - 1 - ends[::-1].argmax())
            before, line_start = bool(inside[last]), start + at + last + 1
    if len(view) and view[-1] != _LINE:
        if parity != before:
            odd.append((lines, line_start, len(data)))
        lines += 1
    return Counts(lines, separators, outside if quotes else separators, _blank(data, start), tuple(odd), lonely)


@dataclasses.dataclass(frozen=True, slots=True)
class Uneven:
    """How many rows have too few fields, how many too many, and the line (from 0) where the first of both begins."""

    short: int = 0
    long: int = 0
    first: int = 0


def uneven(data: bytes, start: int, separator: str, width: int, *, quotes: bool = False) -> Uneven:
    """Rows from byte `start` on, one by one: in a sum over all of them a short row would hide a long one.

    Rows of blanks alone are none. With `quotes`, what stands between two of them is part of a field.
    """
    sign, parity = ord(separator), False
    short, long, first, lines = 0, 0, -1, 0
    begin, line, cut = start, 0, 0  # of the row still open: its first byte, its line, its separators so far
    view = np.frombuffer(data, np.uint8)
    while start < len(data):
        stop = min(start + _CHUNK, len(data))
        chunk = view[start:stop]
        cuts, ends = chunk == sign, chunk == _LINE
        newlines = np.flatnonzero(ends)
        if quotes:
            inside = np.bitwise_xor.accumulate(chunk == _QUOTE) ^ parity
            parity = bool(inside[-1])
            cuts, ends = cuts & ~inside, ends & ~inside
        places, closing = np.flatnonzero(cuts), np.flatnonzero(ends)
        if stop == len(data) and not (len(closing) and closing[-1] == len(chunk) - 1):
            closing = np.append(closing, len(chunk))
        behind = np.searchsorted(places, closing)
        fields = np.diff(behind, prepend=0)
        fields[:1] += cut
        for row in np.flatnonzero(fields != width - 1).tolist():
            begins = begin if row == 0 else start + int(closing[row - 1]) + 1
            if not data[begins : start + int(closing[row])].strip():
                continue
            long += int(fields[row] >= width)
            short += int(fields[row] < width)
            if first < 0:
                first = line if row == 0 else lines + int(np.searchsorted(newlines, closing[row - 1], "right"))
        if len(closing):
            begin = start + int(closing[-1]) + 1
            line = lines + int(np.searchsorted(newlines, closing[-1], "right"))
            cut = len(places) - int(behind[-1])
        else:
            cut += len(places)
        lines += len(newlines)
        start = stop
    return Uneven(short, long, max(first, 0))


def _first_lonely(view: np.ndarray, at: int, sign: int, edge: np.ndarray, quote: np.ndarray) -> int | None:
    """The place in a part of the bytes of the first quote that has no edge of a field, nor a quote, on either side."""
    edges = (_LINE, _RETURN, _QUOTE, sign)
    before, after = np.empty_like(edge), np.empty_like(edge)
    before[1:], after[:-1] = edge[:-1], edge[1:]
    end = at + len(edge)
    before[0] = at == 0 or view[at - 1] in edges or not quote[0]
    after[-1] = end == len(view) or view[end] in edges or not quote[-1]
    alone = quote & ~before & ~after
    return int(alone.argmax()) if alone.any() else None


def _blank(data: bytes, start: int) -> int:
    end = len(data)
    while end > start and data[end - 1] in b"\r\n":
        end -= 1
    return max(0, data.count(b"\n", end) - 1) if end > start else data.count(b"\n", start)
