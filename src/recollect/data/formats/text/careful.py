"""Rows one by one: the reader that says which line is wrong, and knows a stray quote from one that means something.

A quote opened and not closed on its line runs on to the line where it is closed, unless the lines between are rows of
their own: then it is a sign like others, and no row is lost.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import polars as pl

from recollect.data.formats.text import head as heads
from recollect.data.formats.text import shape
from recollect.data.formats.text.dialect import TAB, Dialect, parse_quoted, without_quotes
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text
from recollect.data.formats.text.shape import Shapes
from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import Piece
from recollect.data.reading import OnBad

LONGEST_QUOTE = 1000
"""Lines: a quoted field that spans more was never closed."""
_LOOKED_AT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One row: the line it begins on, its fields, what is wrong with it ('' if nothing), whether quotes were taken as
    signs."""

    line: int
    fields: list[str]
    problem: str = ""
    literal: bool = False


def read_carefully(text: Text, dialect: Dialect, head: Head, columns: Sequence[str], on_bad: OnBad) -> Piece:
    """The named columns, all text, in file order. DataError at the first bad line, unless `on_bad` is skip."""
    width = len(head.names)
    places = [head.names.index(name) for name in columns]
    rows: list[list[str | None]] = []
    lines: list[int] = []
    bad: dict[str, tuple[int, int]] = {}
    literal: list[int] = []
    short: list[int] = []
    for record in records(text, dialect, head, places):
        problem = record.problem or _uneven(record.fields, width, head)
        if problem and on_bad == "stop":
            users = "" if record.problem or not head.titled else heads.sequences(text, dialect, 3)
            problem += f" ({users})" if users else ""
            raise DataError(
                f"{text.path} line {record.line}: {problem}; correct it, or leave such lines out with --on-bad skip"
            )
        if problem:
            kind = problem.split(" (")[0] if record.problem else _kind(record.fields, width)
            number, first = bad.get(kind, (0, record.line))
            bad[kind] = (number + 1, first)
            continue
        if record.literal:
            literal.append(record.line)
        if 0 < len(record.fields) < width - head.ends:
            short.append(record.line)
        rows.append([(record.fields[place] or None) if place < len(record.fields) else None for place in places])
        lines.append(record.line)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    dropped = tuple(Dropped(kind, n, f"first at {text.path} line {first}") for kind, (n, first) in bad.items())
    notes = [stray_note(text, literal[0])] if literal else []
    notes += [short_note(text, len(short), width - head.ends, short[0])] if short else []
    path = text.path  # not the text itself: it would stay in memory
    return Piece(frame, lambda row: f"{path} line {lines[row]}", dropped, (*text.notes, *notes))


def stray_note(text: Text, first: int) -> str:
    """What is said where quotes were read as signs."""
    return f"{text.path.name}: quotes that do not enclose a field are read as text (first at line {first})"


def short_note(text: Text, count: int, width: int, first: int) -> str:
    """What is said of lines that have fewer fields than the header has."""
    return (
        f"{text.path.name}: {count} lines have fewer fields than the header's {width} (first at line {first}); "
        "what is missing is taken as empty"
    )


def _kind(fields: list[str], width: int) -> str:
    return "too many fields" if len(fields) > width else "too few fields"


def _uneven(fields: list[str], width: int, head: Head) -> str:
    if len(fields) > width and any(field.strip() for field in fields[width:]):
        return f"{len(fields)} fields where there are {width} columns"
    if fields and len(fields) < width and not head.titled:  # no header says how many there should be
        return (
            f"{len(fields)} fields where there are {width} columns (if each line is one user with all of the items: "
            "--format sequences)"
        )
    return ""


def records(text: Text, dialect: Dialect, head: Head, needed: Sequence[int] = ()) -> Iterator[Record]:
    """Each row after the head. A quote that does not fit is a fault only in the `needed` columns."""
    lines = text.data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    width, at, shapes = len(head.names), head.lines, None
    while at < len(lines):
        raw = lines[at].rstrip(b"\r")
        used = 1
        try:
            line = raw.decode()
            if '"' not in line or not dialect.quotes:
                record = Record(at + 1, line.split(dialect.separator) if line.strip() else [])
            else:
                shapes = shapes or learn(lines[head.lines : head.lines + 4 * _LOOKED_AT], dialect, width)
                record, used = _quoted(lines, at, line, dialect, width, needed, shapes)
        except UnicodeDecodeError as error:
            record = Record(at + 1, [], text.not_text(error.object[error.start]))
        yield record
        at += used


def learn(lines: Sequence[bytes], dialect: Dialect, width: int) -> Shapes:
    """What rows look like, by those that hold no quote; by quoted ones where there are too few of the others."""
    separator = dialect.separator
    texts = [line.rstrip(b"\r").decode("utf-8", "replace") for line in lines]
    plain = [line.split(separator) for line in texts if '"' not in line]
    plain = [fields for fields in plain if len(fields) == width]
    if len(plain) < shape.ENOUGH:
        plain = [line.split(separator) for line in texts if line.count('"') % 2 == 0]
    return shape.learn(itertools.islice(plain, _LOOKED_AT), width)


def rows_of_their_own(lines: Sequence[str], separator: str, shapes: Shapes) -> bool:
    """Whether lines that one quoted field would span look like rows: all of them, or most of those inside it."""
    fits = [shapes.fit(line.split(separator)) for line in lines]
    return all(fits) or (len(fits) > 3 and 2 * sum(fits[1:-1]) >= len(fits) - 2)


def span(lines: Sequence[bytes], at: int) -> list[bytes]:
    """The lines a quoted record may use: up to the one where the number of quotes comes out even."""
    quotes = 0
    for end in range(at, min(at + LONGEST_QUOTE, len(lines))):
        quotes += lines[end].count(b'"')
        if quotes % 2 == 0:
            return [line + b"\n" for line in lines[at:end]] + [lines[end].rstrip(b"\r")]
    return [lines[at].rstrip(b"\r")]


def joined(lines: Sequence[bytes], dialect: Dialect, width: int, shapes: Shapes) -> list[str] | None:
    """The fields of one record over these lines; None if they are no such record, or rows of their own.
    UnicodeDecodeError if they are no UTF-8."""
    texts = [line.decode() for line in lines]
    try:
        fields, used = parse_quoted(texts, dialect.separator)
    except ValueError:
        return None
    plain = [line.rstrip("\r\n") for line in texts]
    if used != len(lines) or len(fields) != width or rows_of_their_own(plain, dialect.separator, shapes):
        return None
    return fields


def _quoted(
    lines: Sequence[bytes], at: int, line: str, dialect: Dialect, width: int, needed: Sequence[int], shapes: Shapes
) -> tuple[Record, int]:
    """The record that begins at a line with quotes in it, and how many lines it takes."""
    raw = line.split(dialect.separator)
    try:
        fields, _ = parse_quoted([line], dialect.separator)
    except ValueError as error:
        problem = str(error)
    else:
        if len(fields) == width or len(raw) != width:
            return Record(at + 1, fields), 1
        problem = "its quotes do not fit"
    if "never closed" in problem:
        over = span(lines, at)
        fields_over = joined(over, dialect, width, shapes) if len(over) > 1 else None
        if fields_over is not None:
            return Record(at + 1, fields_over), len(over)
    if len(raw) != width:
        return Record(at + 1, raw, problem), 1
    cleaned = [without_quotes(field) for field in raw]
    if dialect.separator != TAB and any(cleaned[place] is None for place in needed):
        return Record(at + 1, raw, problem), 1
    return Record(at + 1, [was if now is None else now for was, now in zip(raw, cleaned, strict=True)], "", True), 1
