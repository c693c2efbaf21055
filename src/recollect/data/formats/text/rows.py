"""The rows of a text file, by the fast reader where its counts agree with the file, else by the careful one.

Every field is text, so that ids stay what the file says ('007' is not 7); kinds are decided later.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from recollect.data.formats.text.careful import read_carefully, records
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.fast import read_fast
from recollect.data.formats.text.head import TITLE_EDGES, Head, as_title
from recollect.data.formats.text.opening import Text
from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import REPEATED, Piece, shorten
from recollect.data.reading import OnBad


def read_rows(text: Text, dialect: Dialect, head: Head, columns: Sequence[str], on_bad: OnBad) -> Piece:
    """The named columns, in file order, with every line accounted for. DataError names the first bad line."""
    piece = read_fast(text, dialect, head, columns)
    if piece is None:
        piece = read_carefully(text, dialect, head, columns, on_bad)
    names = tuple(title.strip(TITLE_EDGES) for title in head.raw or () if title)
    return dataclasses.replace(_without_repeated_header(piece, head), names=names)


def refuse_swallowed(piece: Piece, columns: Iterable[str], text: Text, dialect: Dialect, head: Head) -> None:
    """DataError where a value of these columns holds whole rows: a quote was opened in one row and closed in another.

    What holds rows has all of their separators for each line end. Only a file with more lines than rows is looked at.
    """
    gone = sum(entry.events for entry in piece.dropped)
    if text.data.count(b"\n") <= head.lines + len(piece.frame) + gone:
        return
    for name in columns:
        ends = piece.frame[name].str.count_matches("\n", literal=True)
        cuts = piece.frame[name].str.count_matches(dialect.separator, literal=True)
        holds = ((ends > 0) & (cuts >= ends * (len(head.names) - 1))).fill_null(False)
        if holds.any():
            row = int(holds.arg_max() or 0)
            shown = shorten(repr(piece.frame[name][row]))
            raise DataError(
                f"{piece.line(row)}: the value in column {name!r} holds rows of the file ({shown}): a quote is opened "
                "in one row and closed in another; correct it"
            )


def _like(column: pl.Series, title: str) -> np.ndarray:
    """[rows] bool: whether a cell is a title, by its length first, as that is quick."""
    size = len(title.encode())
    near = column.str.len_bytes().is_between(size, size + 8).fill_null(False).to_numpy(writable=True)
    if near.any():
        cells = column.filter(pl.Series(near)).str.strip_chars(TITLE_EDGES).str.to_lowercase()
        near[near] = (cells == title).to_numpy()
    return near


def sample_rows(text: Text, dialect: Dialect, head: Head, rows: int = 1000) -> pl.DataFrame:
    """The first rows with every column, all text; rows that cannot be read are left out."""
    taken: list[list[str | None]] = []
    few = dataclasses.replace(text, data=text.data[: _end_of(text.data, 1 << 20)])
    for record in records(few, dialect, head):
        if not record.problem and record.fields:
            fields = [field or None for field in record.fields]
            taken.append([*fields, *[None] * len(head.names)][: len(head.names)])
        if len(taken) == rows:
            break
    return pl.DataFrame(taken, schema=dict.fromkeys(head.names, pl.String), orient="row")


def _end_of(data: bytes, size: int) -> int:
    """Where the last whole line ends within `size` bytes; the first line counts whatever its length."""
    if len(data) <= size:
        return len(data)
    return data.rfind(b"\n", 0, size) + 1 or data.find(b"\n") + 1 or len(data)


def _without_repeated_header(piece: Piece, head: Head) -> Piece:
    """Files that were put together keep their headers inside: such lines are left out, and counted."""
    if head.raw is None or not len(piece.frame):
        return piece
    titles = dict(zip(head.names, map(as_title, head.raw), strict=True))
    again = np.ones(len(piece.frame), bool)
    for name in filter(titles.get, piece.frame.columns):
        again &= _like(piece.frame[name], titles[name])
        if not again.any():
            return piece
    kept, line = np.flatnonzero(~again), piece.line
    dropped = Dropped(REPEATED, int(again.sum()), f"first at {line(int(again.argmax()))}")
    return dataclasses.replace(
        piece,
        frame=piece.frame.filter(pl.Series(~again)),
        line=lambda row: line(int(kept[row])),
        dropped=(*piece.dropped, dropped),
    )
