"""Files that name users or items: one id a line, or a table with such a column; and files of (user, item) pairs.

What `--users`, `--allow`, `--deny` and `--pairs` take. Order and repeats are the file's; a line without an id is
counted. Ids get their kind as in a log, so that 17 in a table of numbers is the 17 of the log.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from recollect.data import ids
from recollect.data.formats import registry
from recollect.data.formats.text.dialect import TAB, sniff
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import ending
from recollect.data.log import DataError
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, guess

PARQUET, JSON = (".parquet", ".pq"), (".jsonl", ".ndjson", ".json")
ADVICE = (
    ("give a log with a header line and one event a line", "write EACH a line"),
    (r"write one object a line(, or use --on-bad skip)?", "write EACH a line as a JSON object, or as .txt or .csv"),
    (r"; or --on-bad skip", "; write EACH a line as a JSON object, or as .txt or .csv"),
    (r", or in Python: recollect\.read\(.*\)$", ""),
    (r" \(in a data frame: dtype=str when it is read\)", ""),
    (r"(, or leave such lines out with| \(see|: see|, or give) --(on-bad|encoding)[^;,)]*\)?", ""),
)
"""Advice of the readers of logs, and what it is where a file only names users or items."""
_FLOATS = re.compile(r"-?\d+(?:,0{1,2})?")
"""An id that a program took for a float and wrote with a decimal comma, or one that it did not."""
ROLES = {"user": USER_NAMES, "item": ITEM_NAMES}


@dataclasses.dataclass(frozen=True, slots=True)
class Ids:
    """What a file names, in its order. `empty`: lines of a table that have no id."""

    ids: list[Any]
    empty: int = 0


def read_ids(path: Path | str, role: str, *, also: str | None = None) -> Ids:
    """The ids of a file. `role`: user or item, which says how its column is called; `also`: another name for it.

    .csv, .tsv and other text: a table, or an id a line; .txt: an id a line; a lone column has a header if it names the
    role. .jsonl, .json and .parquet: a table. Raises DataError where the file cannot be read, has no such column or no
    ids.
    """
    path = Path(path)
    with _advice_for_ids("an id"):
        return _read_ids(path, role, also)


def _read_ids(path: Path, role: str, also: str | None) -> Ids:
    table = _table(path, {role: also})
    column = table[_named(table, role, also, path)] if table.width > 1 else table.to_series()
    found = _ids(column, path)
    ids = [one for one in found if one is not None]
    if not ids:
        raise DataError(f"{path}: no ids in it; write one a line")
    return Ids(ids, len(found) - len(ids))


class Pairs(NamedTuple):
    """A table of pairs, row by row: users and items (None where a row has no id), and its further columns."""

    users: list[Any]
    items: list[Any]
    further: pl.DataFrame


def read_pairs(path: Path | str, *, user: str | None = None, item: str | None = None) -> Pairs:
    """A table of pairs.

    `user`, `item`: other names of the columns. Raises DataError as `read_ids`.
    """
    path = Path(path)
    with _advice_for_ids("a user and an item"):
        return _read_pairs(path, user, item)


def _read_pairs(path: Path, user: str | None, item: str | None) -> Pairs:
    table = _table(path, {"user": user, "item": item})
    names = [_named(table, role, also, path) for role, also in (("user", user), ("item", item))]
    if names[0] == names[1]:
        raise DataError(f"{path}: user and item are one column, {names[0]!r}; there are {', '.join(table.columns)}")
    if not table.height:
        raise DataError(f"{path}: no pairs in it, only a header")
    users, items = (_ids(table[name], path) for name in names)
    return Pairs(users, items, table.drop(names))


@contextlib.contextmanager
def _advice_for_ids(each: str) -> Iterator[None]:
    """What is wrong with a file is said as of a log; what to do is not what helps with a log."""
    try:
        yield
    except DataError as error:
        text = str(error)
        for said, meant in ADVICE:
            text = re.sub(said, meant.replace("EACH", each), text)
        raise DataError(text) from None


def _table(path: Path, roles: dict[str, str | None]) -> pl.DataFrame:
    kind = ending(path)
    if not path.is_file():
        raise DataError(
            f"{path}: cannot be read ({'it is a folder' if path.is_dir() else 'No such file or directory'})"
        )
    if kind in JSON:
        with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):  # all lines at once
            return pl.read_ndjson(open_text(path).data, infer_schema_length=None)
    if kind == ".json" and (plain := _plain_list(open_text(path).data)) is not None:
        return plain
    if kind in (*JSON, *PARQUET):
        return registry.side(path, Reading(), "").frame
    text = open_text(path).data
    try:
        return _headed(_lines(text) if kind == ".txt" else _delimited(text, kind), roles)
    except UnicodeDecodeError:
        raise DataError(f"{path}: the text is not UTF-8; save it as UTF-8") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise DataError(f"{path}: not a table that can be read ({_uneven(text, kind)}); write an id a line") from None


def _plain_list(data: bytes) -> pl.DataFrame | None:
    """A JSON list of nothing but ids, `[17, 5]`; None if it is something else."""
    try:
        found = json.loads(data)
    except ValueError:
        return None
    whole = [type(one) for one in found] if isinstance(found, list) else []
    if not whole or not set(whole) <= {int, str}:
        return None
    return pl.DataFrame({"1": [str(one) for one in found]})


def _lines(text: bytes) -> pl.DataFrame:
    lines = (line.strip() for line in text.decode("utf-8").splitlines())
    return pl.DataFrame({"1": [line for line in lines if line]}, schema={"1": pl.String})


def _delimited(text: bytes, kind: str) -> pl.DataFrame:
    lines = [line.strip() for line in text.decode("utf-8").splitlines() if line.strip()]
    separator = _separator(lines[0], kind)
    numbers = lines if _FLOATS.fullmatch(lines[0]) else lines[1:]
    commas = any("," in line for line in numbers) and ("," not in lines[0] or numbers is lines)
    if separator == "," and commas and all(map(_FLOATS.fullmatch, numbers)):
        return pl.DataFrame({"1": lines})
    return pl.read_csv(io.BytesIO(text), has_header=False, infer_schema=False, separator=separator)


def _separator(first: str, kind: str) -> str:
    usual = {".csv": ",", ".tsv": TAB, ".tab": TAB}.get(kind)
    found = usual if usual is not None and usual in first else sniff(first)
    return "," if found is None or found in (" ", "::") else found


def _uneven(text: bytes, kind: str) -> str:
    """The first line with more fields than the first one has, in words."""
    lines = [(number, line) for number, line in enumerate(text.decode("utf-8").splitlines(), 1) if line.strip()]
    separator = _separator(lines[0][1].strip(), kind)
    counts = ((number, len(next(csv.reader([line], delimiter=separator)))) for number, line in lines)
    width = next(counts)[1]
    found = next((one for one in counts if one[1] > width), None)
    return f"line {found[0]} has {found[1]} fields, the first {width}" if found else "its quotes do not fit"


def _headed(rows: pl.DataFrame, roles: dict[str, str | None]) -> pl.DataFrame:
    """With the first row as names, if it names a column that is looked for; a lone column of ids needs no header."""
    names = [str(name or "").strip() for name in rows.row(0)]
    named = any(also in names or guess(names, ROLES[role]) for role, also in roles.items())
    if not named and rows.width == 1:
        return rows
    unlike = [name if name and name not in names[:place] else f"column {place + 1}" for place, name in enumerate(names)]
    return rows.slice(1).rename(dict(zip(rows.columns, unlike, strict=True)))


def _named(table: pl.DataFrame, role: str, also: str | None, path: Path) -> str:
    if also is not None and also in table.columns:
        return also
    found = guess(table.columns, ROLES[role])
    if found is None:
        shown = ", ".join(map(repr, table.columns[:20]))
        raise DataError(f"{path}: no column looks like the {role}; call it {role!r}; there are {shown}")
    return found


def _ids(column: pl.Series, path: Path) -> list[Any]:
    """Ids as a log would have them, None where there is none."""
    coded = ids.code(column.to_frame(), (column.name,), str(path))
    known = coded.ids.tolist()
    return [None if place < 0 else known[place] for place in coded.codes.tolist()]
