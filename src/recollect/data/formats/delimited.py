"""Delimited text, whatever the separator: Polars reads it whole, and only what it refuses is walked line by line.

Every field arrives as text, so that ids stay what the file says ('007' is not 7); kinds are decided later.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import Piece, shorten
from recollect.data.reading import OnBad

TAB = "\t"
TYPED_TAB = "\\t"
SEPARATORS = (",", TAB, ";", "|", "::", " ")
SEPARATOR_NAMES = {TAB: "\\t (tab)", " ": "' ' (space)"}
UNIT_SEPARATOR = "\x1f"  # stands in for a separator of several characters, which Polars does not take
SAMPLED = 1 << 20  # bytes, at most, that the first rows are looked for in
LONGEST_QUOTE = 1000  # lines: a quoted field that spans more was never closed


@dataclasses.dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. `names` are given where the file has no header line, or (`titled`) instead of its own."""

    separator: str = ","
    names: tuple[str, ...] | None = None
    titled: bool = False
    quoted: bool = True
    encoding: str = "utf-8"
    errors: str = "strict"
    """What bytes outside the encoding do: `strict` makes them an error, `replace` shows a question mark."""


def read_bytes(path: Path) -> bytes:
    """The whole file, unzipped if it is a .gz. DataError if it cannot be read."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def read_text(path: Path) -> bytes:
    """The bytes of a text file. DataError if it is empty or no text at all."""
    data = read_bytes(path)
    if not data.strip():
        raise DataError(f"{path}: the file is empty; give a log with a header line and one event a line")
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise DataError(f"{path}: the text is UTF-16; save it as UTF-8")
    if data[:4] == b"PAR1":
        raise DataError(f"{path}: this is a Parquet file; rename it to end in .parquet")
    if data[:2] == b"PK" or b"\0" in data[:65536]:
        raise DataError(f"{path}: this is no text but a binary file; give CSV, TSV, JSON lines or Parquet")
    return data.removeprefix(codecs.BOM_UTF8)


def first_line(data: bytes) -> tuple[int, str]:
    """The first line with something on it, and how many lines (it included) it ends."""
    start = line = 0
    while True:
        end = data.find(b"\n", start)
        text = data[start:] if end < 0 else data[start:end]
        line += 1
        if text.strip() or end < 0:
            return line, text.decode("utf-8", "replace").rstrip("\r")
        start = end + 1


def split_fields(line: str, dialect: Dialect) -> list[str]:
    """The fields of one line. ValueError if its quotes do not fit."""
    if not dialect.quoted or len(dialect.separator) > 1 or '"' not in line:
        return line.split(dialect.separator)
    return _quoted([line], dialect.separator)[0]


def sniff(line: str) -> str | None:
    """The separator that cuts the line into the most fields, None if none does; a space only if nothing else does."""
    best = max(SEPARATORS, key=lambda separator: (separator != " " and separator in line, line.count(separator)))
    return best if best in line else None


def header(path: Path, data: bytes, dialect: Dialect) -> tuple[list[str], int]:
    """Column names, and how many lines come before the first row. DataError if the separator does not fit."""
    skip, line = first_line(data)
    try:
        fields = split_fields(line, dialect)
    except ValueError as error:
        raise DataError(f"{path} line {skip}: {error}") from None
    if len(fields) == 1 and dialect.names is None:
        better = sniff(line)
        if better is not None:
            raise DataError(
                f"{path} line {skip}: all in one column with separator {name_of(dialect.separator)}; the file seems to "
                f"use {name_of(better)}: give data.separator='{better.replace(TAB, TYPED_TAB)}'"
            )
    if dialect.names is not None:
        return list(dialect.names), skip if dialect.titled else skip - 1
    names = [name.strip() or f"column {place}" for place, name in enumerate(fields, 1)]
    return list(_unlike(names)), skip


def read(path: Path, data: bytes, dialect: Dialect, columns: Sequence[str], on_bad: OnBad) -> Piece:
    """The named columns, all text, in file order; `data` is the file's content from `read_text`."""
    names, skip = header(path, data, dialect)
    clean = _transcoded(data, dialect)
    quoted = dialect.quoted and len(dialect.separator) == 1 and b'"' in data
    frame = None if clean is None else _read_fast(clean, dialect, quoted, names, skip, columns)
    if frame is not None:

        def line(row: int) -> str:
            return f"{path} line {_line_of_row(path, dialect, skip, row)}"

        return Piece(frame, line)
    return _read_slowly(path, data, dialect, names, skip, columns, on_bad)


def sample(path: Path, data: bytes, dialect: Dialect, rows: int = 1000) -> pl.DataFrame:
    """The first rows with every column, all text; rows that cannot be read are left out."""
    names, skip = header(path, data, dialect)
    if len(data) > SAMPLED:  # whole lines of it
        data = data[: data.rfind(b"\n", 0, SAMPLED) + 1] or data
    taken: list[list[str | None]] = []
    for _, fields, problem in records(data, dialect, skip):
        if not problem and fields:
            taken.append([*(field or None for field in fields), *[None] * len(names)][: len(names)])
        if len(taken) == rows:
            break
    return pl.DataFrame(taken, schema=dict.fromkeys(names, pl.String), orient="row")


def name_of(separator: str) -> str:
    """A separator as a person reads it."""
    return SEPARATOR_NAMES.get(separator, repr(separator))


def _transcoded(data: bytes, dialect: Dialect) -> bytes | None:
    """Bytes that Polars can take: UTF-8, one character between fields. None if that character is used for something."""
    if dialect.encoding != "utf-8" or dialect.errors != "strict":
        data = data.decode(dialect.encoding, dialect.errors).encode()
    if len(dialect.separator) > 1:
        if UNIT_SEPARATOR.encode() in data:
            return None
        data = data.replace(dialect.separator.encode(), UNIT_SEPARATOR.encode())
    return data


def _read_fast(
    data: bytes, dialect: Dialect, quoted: bool, names: list[str], skip: int, columns: Sequence[str]
) -> pl.DataFrame | None:
    """None where anything at all is wrong; the slow reader then says what and where."""
    row_start = 0
    for _ in range(skip):
        row_start = data.find(b"\n", row_start) + 1
        if row_start == 0:
            return pl.DataFrame({name: [] for name in columns}, schema=dict.fromkeys(columns, pl.String))
    separator = dialect.separator if len(dialect.separator) == 1 else UNIT_SEPARATOR
    _, line = first_line(data[row_start : row_start + (1 << 22)])
    if not line.strip():
        return pl.DataFrame({name: [] for name in columns}, schema=dict.fromkeys(columns, pl.String))
    try:
        width = len(split_fields(line, dataclasses.replace(dialect, separator=separator)))
    except ValueError:
        return None
    if width != len(names):
        return None  # Polars takes the number of columns from the first row
    places = sorted({names.index(name) for name in columns})
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            skip_rows=skip,
            separator=separator,
            quote_char='"' if quoted else None,
            infer_schema=False,
            columns=places,
        )
    except pl.exceptions.PolarsError:
        return None
    frame.columns = [names[place] for place in places]
    return frame.select(columns)


def _read_slowly(
    path: Path,
    data: bytes,
    dialect: Dialect,
    names: list[str],
    skip: int,
    columns: Sequence[str],
    on_bad: OnBad,
) -> Piece:
    places = [names.index(name) for name in columns]
    rows: list[list[str | None]] = []
    lines: list[int] = []
    bad: dict[str, tuple[int, int]] = {}
    for line, fields, problem in records(data, dialect, skip):
        if len(fields) > len(names):
            problem = f"{len(fields)} fields where there are {len(names)} columns"
        if problem and on_bad == "stop":
            raise DataError(f"{path} line {line}: {problem}; correct it, or leave such lines out with --on-bad skip")
        if problem:
            kind = "too many fields" if len(fields) > len(names) else problem.split(" (")[0]
            count, first = bad.get(kind, (0, line))
            bad[kind] = (count + 1, first)
            continue
        rows.append([(fields[place] or None) if place < len(fields) else None for place in places])
        lines.append(line)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    dropped = tuple(Dropped(kind, n, f"first at {path} line {first}") for kind, (n, first) in bad.items())
    return Piece(frame, lambda row: f"{path} line {lines[row]}", dropped)


def records(data: bytes, dialect: Dialect, skip: int) -> Iterator[tuple[int, list[str], str]]:
    """Each row after `skip` lines: its line number, its fields, and what is wrong with it ('' if nothing)."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    at = skip
    quoted = dialect.quoted and len(dialect.separator) == 1
    while at < len(lines):
        raw = lines[at].rstrip(b"\r")
        try:
            if quoted and b'"' in raw:
                span = [one.decode(dialect.encoding, dialect.errors) for one in _span(lines, at)]
                fields, used = _quoted(span, dialect.separator)
            else:
                text = raw.decode(dialect.encoding, dialect.errors)
                fields, used = (text.split(dialect.separator) if text else []), 1
        except UnicodeDecodeError as error:
            yield (
                at + 1,
                [],
                f"not UTF-8 (byte 0x{error.object[error.start]:02x}; perhaps Latin-1, to be saved as UTF-8)",
            )
            at += 1
        except ValueError as error:
            yield at + 1, [], str(error)
            at += 1
        else:
            yield at + 1, fields, ""
            at += used


def _span(lines: list[bytes], at: int) -> list[bytes]:
    """The lines a quoted row may use: up to the one where the number of quotes comes out even."""
    quotes = 0
    for end in range(at, min(at + LONGEST_QUOTE, len(lines))):
        quotes += lines[end].count(b'"')
        if quotes % 2 == 0:
            return [line + b"\n" for line in lines[at:end]] + [lines[end].rstrip(b"\r")]
    return [lines[at].rstrip(b"\r")]


def _quoted(lines: list[str], separator: str) -> tuple[list[str], int]:
    limit = csv.field_size_limit(2**31 - 1)  # fields may be as long as they like; the limit is the process's
    try:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        return next(reader), reader.line_num
    except csv.Error as error:
        what = "a quote is opened and never closed" if "unexpected end" in str(error) else "its quotes do not fit"
        raise ValueError(f"{what} ({shorten(lines[0].strip())})") from None
    finally:
        csv.field_size_limit(limit)


def _line_of_row(path: Path, dialect: Dialect, skip: int, row: int) -> int:
    data = read_text(path)
    if not dialect.quoted or b'"' not in data:
        return skip + row + 1
    for place, (line, _, _) in enumerate(records(data, dialect, skip)):
        if place == row:
            return line
    return skip + row + 1


def _unlike(names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        yield name if name not in seen else f"{name} ({sum(other == name for other in seen) + 1})"
        seen.add(name)
