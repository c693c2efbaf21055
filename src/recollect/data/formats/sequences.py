"""One line a user: the user, then all of the items, oldest first. The format of S3-Rec's and many other public files.

Lines are of any length, so that this is never recognised by itself; a file with uneven rows is told of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from recollect.data.formats.contract import Place
from recollect.data.formats.files import refuse_copies
from recollect.data.formats.list_cells import looks_like_lists, never_empty
from recollect.data.formats.text.dialect import SEPARATORS, TAB, meant
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable, shorten
from recollect.data.reading import NO_TIME, Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, Roles, guess

_ENDINGS = (".txt", ".csv", ".tsv", ".dat", ".data", ".seq", "")


class Sequences:
    """Lines of `user item item item ...`."""

    name = "sequences"
    description = "one line a user: the user, then all of the items, oldest first (user item item ...)"

    def recognises(self, place: Place) -> bool:
        """False: it is read only when asked for."""
        return False

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The events of all lines, in their order. DataError if columns are asked for that there are not."""
        paths = place.paths if place.folder is None else place.ending_in(_ENDINGS)
        if not paths:
            raise DataError(f"{place}: no text file in it")
        for given, fixed in ((reading.user, "1"), (reading.item, "2"), (reading.time, NO_TIME)):
            if given not in (None, fixed):
                raise DataError(f"{place}: lines of user item item ... have no column {given!r}, and no times")
        refuse_copies(paths)
        notes = ("columns: user = first of each line, item = all that follow, time = (none)",)
        roles = Roles(("user",), ("item",), notes=notes)
        return RawTable(name, [_read(path, reading) for path in paths], roles, place=str(place))


def _read(path: Path, reading: Reading) -> Piece:
    text = open_text(path, reading.encoding)
    data = _utf8(text)
    lines = pl.Series("line", data.split("\n")[bool(reading.header) :]).str.strip_chars("\r\n ")
    if len(lines) and not lines[-1]:
        lines = lines.head(-1)
    sign = meant(reading.separator or "") or _sign(lines)
    parts = lines.str.extract_all(r"\S+") if sign in (" ", TAB) else lines.str.split(sign)
    before = 1 + bool(reading.header)
    frame = pl.DataFrame({"row": np.arange(len(lines)), "parts": parts}).select(
        "row", user=pl.col("parts").list.first(), item=pl.col("parts").list.slice(1)
    )
    _refuse_other_tables(frame, text, before)
    frame = frame.with_columns(never_empty(frame["item"]))
    if frame["user"].drop_nulls().str.ends_with(":").all():  # as in `u1: a b c`
        frame = frame.with_columns(pl.col("user").str.strip_chars_end(": "))
    long = frame.explode("item").with_columns(pl.col("item").str.strip_chars())
    rows = long["row"].to_numpy()
    return Piece(long.select("user", "item"), lambda row: f"{path} line {int(rows[row]) + before}", (), text.notes)


def _refuse_other_tables(frame: pl.DataFrame, text: Text, before: int) -> None:
    """DataError for a table of events with a header, and for one whose second column holds lists."""
    first = frame.head(1).select(pl.concat_list("user", "item").alias("all"))["all"].to_list()
    names = [str(one).strip() for one in first[0] if one is not None] if first and first[0] else []
    if guess(names, USER_NAMES) and guess(names, ITEM_NAMES):
        raise DataError(
            f"{text.path} line {before}: {shorten(' '.join(names))} is a header: one event a line; leave out --format, "
            "or say --header if each line is one user all the same"
        )
    alone = frame.filter(pl.col("item").list.len() == 1)["item"].list.first()
    if len(alone) == len(frame) and looks_like_lists(alone):
        raise DataError(
            f"{text.path}: a user and a list in one column ({shorten(repr(alone[0]))}), not one column an item; say "
            "--format lists --user 1 --item 2"
        )


def _utf8(text: Text) -> str:
    try:
        return text.data.decode()
    except UnicodeDecodeError as error:
        line = text.data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{text.path} line {line}: {text.not_text(text.data[error.start])}") from None


def _sign(lines: pl.Series) -> str:
    """The separator that most lines have."""
    shares = {sign: float(lines.str.contains(sign, literal=True).mean() or 0.0) for sign in SEPARATORS}  # type: ignore[arg-type]
    return max(SEPARATORS, key=lambda sign: (shares[sign] > 0 and sign != " ", shares[sign]))


FORMATS = (Sequences(),)
