"""Rows all at once, by Polars, and never on trust: what it returns is counted against the lines of the file.

Polars takes any quote for one that opens a field, and may put many rows into one; so lines, separators and open quotes
are counted apart from it. Where the counts differ the answer is None, and the careful reader says what and where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from recollect.data.formats.text import careful
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import TAB, Dialect
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.scan import Counts, Uneven, count, uneven
from recollect.data.raw_table import Piece

STAND_IN = "\x1f"
"""For a separator of several bytes, which Polars does not take."""
_LOOKED_AT = 1 << 20


def read_fast(text: Text, dialect: Dialect, head: Head, columns: Sequence[str]) -> Piece | None:
    """The named columns, all text, in file order; None where anything at all is not as it should be."""
    data, sign = text.data, dialect.separator
    if len(sign.encode()) > 1:
        if STAND_IN.encode() in data:
            return None
        data, sign = data.replace(sign.encode(), STAND_IN.encode()), STAND_IN
    start = _start(data, head.lines)
    if start is None or (not data[start : start + _LOOKED_AT].strip() and not data[start:].strip()):
        return Piece(_empty(columns), _by_line(text, head), (), text.notes)
    width = len(head.names)
    if len(next(heads.first_records(text, dialect, head.lines, 1)).fields) != width:
        return None  # Polars takes the number of columns from the first row
    quotes = dialect.quotes and data.find(b'"', start) >= 0
    counts = count(data, start, sign, quotes)
    exact = counts.separators == (width - 1) * (counts.lines - counts.blank)
    if exact and (counts.odd or counts.lonely is not None):
        return _without_quoting(text, data, dialect, head, columns, counts, start)
    frame = _polars(data, sign, quotes, head, columns)
    if frame is None or counts.lonely is not None or len(frame) != counts.lines - counts.inside_lines:
        return None
    if not quotes:
        looked_at = not exact or len(columns) < width
        notes = _uneven_notes(text, head, uneven(data, start, sign, width) if looked_at else Uneven())
        return None if notes is None else Piece(frame, _by_line(text, head), (), notes)
    if counts.outside != (width - 1) * (len(frame) - counts.blank) or not _really_span(
        data, counts, dialect, head, start
    ):
        return None
    # Polars cuts off what a row has too many of where it is asked for some columns only.
    if len(columns) < width and uneven(data, start, sign, width, quotes=True) != Uneven():
        return None
    return Piece(frame, _by_record(text, dialect, head) if counts.odd else _by_line(text, head), (), text.notes)


def _polars(data: bytes, sign: str, quotes: bool, head: Head, columns: Sequence[str]) -> pl.DataFrame | None:
    places = sorted({head.names.index(name) for name in columns})
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            skip_rows=head.records if quotes else head.lines,
            separator=sign,
            quote_char='"' if quotes else None,
            infer_schema=False,
            columns=places,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    frame.columns = [head.names[place] for place in places]
    return frame.select(columns)


def _without_quoting(
    text: Text, data: bytes, dialect: Dialect, head: Head, columns: Sequence[str], counts: Counts, start: int
) -> Piece | None:
    """A file with as many separators as its lines should have, though quotes stay open on some: rows are lines, if each
    has its own, and the lines that a quoted field would span look like rows."""
    if uneven(data, start, dialect.separator, len(head.names)) != Uneven():
        return None
    shapes = careful.learn(_sample(data, head.lines), dialect, len(head.names))
    for opening, closing in zip(counts.odd[::2], counts.odd[1::2], strict=False):
        if closing[0] - opening[0] >= careful.LONGEST_QUOTE:
            continue  # no quoted field is as long: the quotes are signs
        lines = data[opening[1] : closing[2]].split(b"\n")
        plain = [line.rstrip(b"\r").decode("utf-8", "replace") for line in lines]
        if not careful.rows_of_their_own(plain, dialect.separator, shapes):
            return None
    frame = _polars(data, dialect.separator, False, head, columns)
    if frame is None or len(frame) != counts.lines:
        return None
    cleaned = [_unquoted(frame[name], dialect.separator) for name in columns]
    if any(column is None for column in cleaned):
        return None
    first = min([line for line, _, _ in counts.odd[:1]] + ([] if counts.lonely is None else [counts.lonely]))
    note = careful.stray_note(text, head.lines + first + 1)
    frame = pl.DataFrame([column for column in cleaned if column is not None])
    return Piece(frame, _by_line(text, head), (), (*text.notes, note))


def _unquoted(column: pl.Series, separator: str) -> pl.Series | None:
    """A column cut without regard to quotes, as it was meant; None if quotes in it do not fit."""
    begins = column.str.starts_with('"').fill_null(False)
    if not begins.any():
        return column
    inner = column.str.slice(1, column.str.len_chars() - 2)
    lone = inner.str.replace_all('""', "", literal=True).str.contains('"', literal=True)
    whole = begins & column.str.ends_with('"') & (column.str.len_chars() > 1) & ~lone
    if separator != TAB and not (whole | ~begins).all():
        return None
    meant = inner.str.replace_all('""', '"', literal=True).replace({"": None})
    return pl.select(pl.when(whole).then(meant).otherwise(column).alias(column.name)).to_series()


def _really_span(data: bytes, counts: Counts, dialect: Dialect, head: Head, start: int) -> bool:
    """Whether each quote that stays open on its line encloses a field over the lines to where it is closed."""
    if not counts.odd:
        return True
    if len(counts.odd) % 2:
        return False
    width = len(head.names)
    shapes = careful.learn(_sample(data, head.lines), dialect, width)
    for opening, closing in zip(counts.odd[::2], counts.odd[1::2], strict=True):
        if closing[0] - opening[0] >= careful.LONGEST_QUOTE:
            return False
        lines = data[opening[1] : closing[2]].split(b"\n")
        over = [line + b"\n" for line in lines[:-1]] + [lines[-1].rstrip(b"\r")]
        try:
            if careful.joined(over, dialect, width, shapes) is None:
                return False
        except UnicodeDecodeError:
            return False
    return True


def _uneven_notes(text: Text, head: Head, found: Uneven) -> tuple[str, ...] | None:
    """What is said of rows with fewer fields than columns; None for the careful reader: a row has more of them, or no
    header says how many there should be."""
    if found == Uneven():
        return text.notes
    if found.long or not head.titled or head.ends:
        return None
    return (*text.notes, careful.short_note(text, found.short, len(head.names), head.lines + found.first + 1))


def _start(data: bytes, lines: int) -> int | None:
    """Where the first row begins; None if there is none."""
    start = 0
    for _ in range(lines):
        start = data.find(b"\n", start) + 1
        if start == 0:
            return None
    return start


def _sample(data: bytes, lines: int) -> list[bytes]:
    return data[:_LOOKED_AT].split(b"\n")[lines:-1] or data[:_LOOKED_AT].split(b"\n")[lines:]


def _empty(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _by_line(text: Text, head: Head) -> Callable[[int], str]:
    path, before = text.path, head.lines  # not the text itself: it would stay in memory
    return lambda row: f"{path} line {before + row + 1}"


def _by_record(text: Text, dialect: Dialect, head: Head) -> Callable[[int], str]:
    """Where rows may take several lines the file is walked again, for the one row that is asked about."""
    path, encoding = text.path, text.asked or None

    def line(row: int) -> str:
        for place, record in enumerate(careful.records(open_text(path, encoding), dialect, head)):
            if place == row:
                return f"{path} line {record.line}"
        return f"{path} row {row + 1}"

    return line
