"""CSV, TSV, JSON lines and Parquet with named columns, one file or several that continue each other.

What a column means is `roles`' business; this file only finds the columns and says where a row stands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recollect.data.formats import delimited
from recollect.data.formats.delimited import Dialect
from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import Piece, RawTable, shorten
from recollect.data.reading import OnBad, Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, Roles, guess, resolve
from recollect.data.side_table import Side

TEXT = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data")
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
ENDINGS = (*TEXT, *JSON_LINES, *PARQUET)


def ending(path: Path) -> str:
    """What kind of file this is by its name: `.csv` for both `log.csv` and `log.csv.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def read_files(
    paths: Sequence[Path],
    reading: Reading,
    *,
    name: str,
    items: Path | None = None,
    users: Path | None = None,
) -> RawTable:
    """All files in the given order as one table; the first one decides the columns, the others must have them."""
    pieces: list[Piece] = []
    roles: Roles | None = None
    for path in paths:
        piece, found = read_file(path, reading if roles is None else roles.again(reading))
        roles = roles or found
        pieces.append(piece)
    assert roles is not None
    return RawTable(
        name,
        pieces,
        roles,
        users=None if users is None else side_parquet(users, USER_NAMES),
        items=None if items is None else side_parquet(items, ITEM_NAMES),
        place=str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more",
        notes=() if len(paths) == 1 else (f"{len(paths)} files, in the order of their names",),
    )


def read_file(path: Path, reading: Reading) -> tuple[Piece, Roles]:
    """One file, by its ending; text of an unknown ending is tried as delimited text."""
    kind = ending(path)
    if kind in PARQUET:
        return _read_parquet(path, reading)
    if kind in JSON_LINES:
        return _read_json_lines(path, reading)
    return _read_delimited(path, reading)


def side_parquet(path: Path, names: str) -> Side:
    """A Parquet file of side data; the ids are in its column of a well-known name, else in the first."""
    frame = _parquet(path, None)
    return Side(frame, guess(frame.columns, names) or frame.columns[0])


def _read_delimited(path: Path, reading: Reading) -> tuple[Piece, Roles]:
    data = delimited.read_text(path)
    _, line = delimited.first_line(data)
    separator = reading.separator
    if separator is None:
        usual = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(ending(path))
        named = usual if usual is not None and usual in line else None  # a .csv may well be cut by semicolons
        separator = named or delimited.sniff(line) or usual or ","
    dialect = Dialect(separator.replace(delimited.TYPED_TAB, delimited.TAB) or ",")
    names, _ = delimited.header(path, data, dialect)
    numbers = tuple(str(place) for place in range(1, len(names) + 1))
    if (reading.by_number and not set(numbers) & set(names)) or all(
        map(_is_number, delimited.split_fields(line, dialect))
    ):
        dialect = Dialect(dialect.separator, names=numbers)
        if len(numbers) == 2 and reading.user is None and reading.item is None:
            reading = reading.but(user="1", item="2")
        if reading.user is None or reading.item is None:
            raise DataError(
                f"{path}: no header line, so columns are called by number (1 to {len(numbers)}): "
                f"say which is which, for example --user 1 --item 2{' --time 3' if len(numbers) > 2 else ''}"
            )
        names = list(numbers)
    roles = resolve(names, reading, str(path), lambda: delimited.sample(path, data, dialect))
    return delimited.read(path, data, dialect, roles.columns, reading.on_bad), roles


def _read_parquet(path: Path, reading: Reading) -> tuple[Piece, Roles]:
    if path.exists() and path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; it should be a Parquet file")
    try:
        with path.open("rb") as file:  # by handle: a path with a bracket in it would be taken for a pattern
            names = list(pl.read_parquet_schema(file))
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from None
    roles = resolve(names, reading, str(path), lambda: _parquet(path, None, rows=1000))
    return Piece(_parquet(path, list(roles.columns)), lambda row: f"{path} row {row + 1}"), roles


def _parquet(path: Path, columns: list[str] | None, rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, n_rows=rows, glob=False)
    # A damaged page can make Polars panic, which is no Exception.
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> DataError:
    reason = shorten(str(error).splitlines()[0] if str(error) else type(error).__name__, 100)
    return DataError(f"{path}: not a whole Parquet file ({reason}); it may be cut short or damaged: fetch it again")


def _read_json_lines(path: Path, reading: Reading) -> tuple[Piece, Roles]:
    data = delimited.read_text(path)
    if data.lstrip()[:1] == b"[":
        raise DataError(f"{path}: this is one JSON list; write one object a line (JSON lines)")
    try:
        lazy = pl.scan_ndjson(data, infer_schema_length=None)
        roles = resolve(lazy.collect_schema().names(), reading, str(path), lambda: lazy.head(1000).collect())
        frame = lazy.select(roles.columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return _read_json_slowly(path, data, reading, reading.on_bad)

    def line(row: int) -> str:
        filled = [number for number, text in enumerate(delimited.read_text(path).split(b"\n"), 1) if text.strip()]
        return f"{path} line {filled[row]}"

    return Piece(frame, line), roles


def _read_json_slowly(path: Path, data: bytes, reading: Reading, on_bad: OnBad) -> tuple[Piece, Roles]:
    """Every line by itself, to find the one that is no JSON object; values become text."""
    rows: list[dict[str, object]] = []
    lines: list[int] = []
    bad: list[int] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            value = json.loads(raw)
            problem = "" if isinstance(value, dict) else "not a JSON object"
        except ValueError:
            problem = "not JSON"
        if not problem:
            rows.append(value)
            lines.append(number)
        elif on_bad == "stop":
            shown = shorten(repr(raw.decode("utf-8", "replace").strip()))
            raise DataError(f"{path} line {number}: {problem} ({shown}); write one object a line, or use --on-bad skip")
        else:
            bad.append(number)
    if not rows:
        raise DataError(f"{path}: none of its {len(bad)} lines is a JSON object; give JSON lines, or another ending")
    names = list(dict.fromkeys(key for row in rows for key in row))
    roles = resolve(names, reading, str(path), lambda: _as_frame(rows[:1000], names))
    frame = _as_frame(rows, roles.columns)
    dropped = (Dropped("not a JSON object", len(bad), f"first at {path} line {bad[0]}"),) if bad else ()
    return Piece(frame, lambda row: f"{path} line {lines[row]}", dropped), roles


def _as_frame(rows: list[dict[str, object]], names: Sequence[str]) -> pl.DataFrame:
    columns = {name: [_as_text(row.get(name)) for row in rows] for name in names}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
