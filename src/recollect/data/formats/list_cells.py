"""Lists of items in one cell: told from the id of one item, and taken apart into an event for each entry, in order.

Lists are written in brackets, or with one sign between entries. Without being asked for, a cell that looks like a list
is never taken for the id of one item.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from recollect.data.formats.text.shape import outline
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable, shorten

FORMAT = "lists"
"""The format that makes each entry an event."""
SIGNS = ("|", ";", ",", " ")
_SAMPLE = 1000
_MOST = 0.5
_BRACKETS = "[](){}"
_BRACKETED = re.compile(r"\s*(?:[\[(].*[\])]|(?:(?:frozen)?set\()?\{[^:{}]*\}\)?)\s*", re.DOTALL)
"""A list, a tuple or a set, but no dictionary. An id may be in braces too, so of sets most must have a comma."""
_SET = r"^(?:frozen)?set\((.*)\)$"


def explode(table: RawTable) -> RawTable:
    """The table with a row for each entry. A column of times that are lists of the same lengths is taken apart too."""
    if len(table.roles.item) != 1:
        raise DataError(f"{table.place or table.name}: lists are read from one item column, not from several")
    item = table.roles.item[0]
    pieces = [_exploded(piece, item, table.roles.time) for piece in table.pieces]
    return dataclasses.replace(
        table, pieces=pieces, notes=(*table.notes, f"{item} holds lists: an event for each entry")
    )


def checked(table: RawTable) -> RawTable:
    """The table, with a note if its items may be lists of one length. DataError if they look like lists."""
    if len(table.roles.item) != 1 or not table.pieces:
        return table
    item = table.roles.item[0]
    column = table.pieces[0].frame[item].head(_SAMPLE)
    if isinstance(column.dtype, pl.List | pl.Array):
        shown = f"holds lists ({shorten(str(column.drop_nulls().to_list()[:1]))})"
    else:
        if column.dtype != pl.String:
            return table
        if not looks_like_lists(column):
            note = _of_one_length(column)
            return dataclasses.replace(table, notes=(*table.notes, note)) if note else table
        shown = f"looks like lists ({shorten(repr(max(column.drop_nulls().to_list(), key=len)))})"
    raise DataError(
        f"{table.place or table.name}: the item column {item!r} {shown}; --format lists makes each entry an event, in "
        "order (or name the kind of the file with --format, if each value is one item after all)"
    )


def looks_like_lists(column: pl.Series) -> bool:
    """Whether most cells are lists of ids: in brackets, or of several like parts whose number differs."""
    cells = column.drop_nulls().unique(maintain_order=True).to_list()
    if not cells:
        return False
    bracketed = [cell for cell in cells if _BRACKETED.fullmatch(cell)]
    braced = [cell for cell in bracketed if "{" in cell]
    if len(bracketed) >= 0.9 * len(cells) and 2 * sum("," in cell for cell in braced) >= len(braced):
        return True
    return any(_of_sign(cells, sign) for sign in SIGNS)


def _of_one_length(column: pl.Series) -> str:
    """What is said of cells that all have as many parts: lists of one length, or ids that are made so."""
    cells = column.drop_nulls().unique(maintain_order=True).to_list()
    for sign in SIGNS:
        parts = [cell.split(sign) for cell in cells]
        bare = sign != " " or all(part.isdecimal() for cell in parts for part in cell)  # words have blanks between them
        if len(cells) > 1 and len({len(cell) for cell in parts}) == 1 < len(parts[0]) and bare:
            return (
                f"{column.name} holds ids of {len(parts[0])} parts each, as {shorten(repr(cells[0]))}, and each value "
                "is one item; if they are lists, --format lists makes each entry an event"
            )
    return ""


def _of_sign(cells: Sequence[str], sign: str) -> bool:
    parts = [[part.strip() for part in cell.split(sign) if part.strip()] for cell in cells]
    counts = {len(part) for part in parts}
    if len(counts) < 2 or sum(len(part) > 1 for part in parts) < _MOST * len(parts):
        return False
    entries = [entry for part in parts for entry in part]
    outlines = {outline(entry) for entry in entries[:5000]}
    if len(outlines) == 1 and "9" in next(iter(outlines)):
        return True
    if sign == " ":  # words of a title come back in other titles too
        return False
    distinct, times = np.unique(np.array(entries, dtype=object).astype(str), return_counts=True)
    return bool(len(distinct) < len(cells) * 3 and times[times > 1].sum() >= 0.8 * len(entries))


def _exploded(piece: Piece, item: str, times: tuple[str, ...]) -> Piece:
    frame = piece.frame
    lists = {item: _as_lists(frame[item], SIGNS)}
    lengths = lists[item].list.len().fill_null(0)
    for time in times:
        apart = _as_lists(frame[time], SIGNS[:3])
        if (lengths > 1).any() and (apart.list.len().fill_null(0) == lengths).all():
            lists[time] = apart
    rows = pl.Series(np.arange(len(frame)))
    whole = frame.with_columns([never_empty(column).alias(name) for name, column in lists.items()])
    rows_name = "\0row"
    long = whole.with_columns(rows.alias(rows_name)).explode(list(lists))
    places, line = long[rows_name].to_numpy(), piece.line
    return dataclasses.replace(piece, frame=long.drop(rows_name), line=lambda row: line(int(places[row])))


def never_empty(lists: pl.Series) -> pl.Series:
    """Lists of nothing, and missing ones, as lists of one missing entry: so the row stays, and is counted as one."""
    one = pl.lit([None], dtype=lists.dtype)
    name = lists.name
    return pl.select(pl.when(lists.list.len().fill_null(0) > 0).then(lists).otherwise(one).alias(name)).to_series()


def _as_lists(column: pl.Series, signs: Sequence[str]) -> pl.Series:
    """Each cell as a list; empty ones as a list of nothing."""
    if isinstance(column.dtype, pl.Array):
        return column.cast(pl.List(column.dtype.inner))
    if isinstance(column.dtype, pl.List):
        return column
    text = column.cast(pl.String).str.strip_chars().str.replace(_SET, "${1}")
    given = text.drop_nulls()
    literal = _literal(given)
    if literal is not None:
        places = text.replace_strict(literal[0], range(len(literal[0])), default=None, return_dtype=pl.UInt32)
        return literal[1].gather(places).alias(column.name)
    bare = text.str.strip_chars(_BRACKETS)
    sign = _sign(given, signs)
    if given.is_empty() or sign is None:
        return pl.select(pl.concat_list(pl.lit(bare))).to_series().alias(column.name)
    parts = bare.str.split(sign) if sign != " " else bare.str.extract_all(r"\S+")
    stripped = parts.list.eval(pl.element().str.strip_chars(" \n'\""))
    return stripped.list.eval(pl.element().filter(pl.element() != "")).alias(column.name)


def _literal(cells: pl.Series) -> tuple[list[str], pl.Series] | None:
    """Cells that are lists as Python or JSON writes them, with texts in quotes, and what they mean; None if any is not.

    A text in quotes may hold the sign that stands between entries.
    """
    distinct = cells.unique().to_list()
    if not any("'" in cell or '"' in cell for cell in distinct):
        return None
    meant = []
    for cell in distinct:
        if cell[:1] not in "[(" or cell[-1:] not in "])":
            return None
        try:
            value = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        if not isinstance(value, list | tuple):
            return None
        meant.append([None if one is None else str(one) for one in value])
    return distinct, pl.Series(meant, dtype=pl.List(pl.String))


def _sign(cells: pl.Series, signs: Sequence[str]) -> str | None:
    """What stands between the entries: the sign that most cells have, a space only where no other is usual."""
    share = {sign: float(cells.str.contains(sign, literal=True).mean() or 0.0) for sign in signs}  # type: ignore[arg-type]
    solid = max((sign for sign in signs if sign != " "), key=lambda sign: share[sign])
    if share[solid] >= 0.2 or share[solid] >= share.get(" ", 0.0) > 0:
        return solid
    if share.get(" ", 0.0) > 0:
        return " "
    return solid if share[solid] > 0 else None
