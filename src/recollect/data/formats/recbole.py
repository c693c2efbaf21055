"""RecBole atomic files: `.inter` with `.item` and `.user` beside it; tab-separated, the header says `name:type`.

Source: the format's description in RecBole's documentation; here types only decide how lists of words are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recollect.data.formats import files
from recollect.data.formats.contract import Place
from recollect.data.formats.delimited import side_notes
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.packing import ending
from recollect.data.formats.text.rows import read_rows, sample_rows
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, Roles, resolve

TYPES = ("token", "token_seq", "float", "float_seq")
# What the published files call the things that every source here calls the same.
SHOWN_AS = {
    **dict.fromkeys(("movie_title", "item_name", "product_title", "name"), "title"),
    **dict.fromkeys(("class", "genre", "categories"), "genres"),
    "release_year": "year",
}


_DIALECT = Dialect("\t", quoted=False)


class RecBole:
    """Atomic files: events in `.inter`, what describes items and users in `.item` and `.user` of the same name."""

    name = "recbole"
    description = "RecBole's atomic files: x.inter, with x.item and x.user beside it"
    endings: tuple[str, ...] = (".inter", ".item", ".user")

    def recognises(self, place: Place) -> bool:
        """By the ending of the events' file."""
        return any(ending(path) == ".inter" for path in place.paths)

    def holds(self, path: Path) -> bool:
        """By the ending."""
        return ending(path) in self.endings

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The events, with the side tables of the same name. DataError if a folder has several logs."""
        paths = place.ending_in((".inter",))
        if not paths:
            raise DataError(f"{place}: no .inter file in it")
        if place.folder is not None and len(paths) > 1:
            shown = ", ".join(path.name for path in paths[:5])
            raise DataError(f"{place}: {len(paths)} .inter files ({shown}); name one of them")
        sides = {}
        for side, last, known in (("users", ".user", USER_NAMES), ("items", ".item", ITEM_NAMES)):
            beside = paths[0].with_suffix(last)
            sides[side] = files.side_of(beside, reading, lambda _: self, known) if beside.exists() else None
        return files.read_files(paths, reading, lambda _: self, name=name, **sides)

    def open(
        self, path: Path, reading: Reading, like: Sequence[str] | None = None
    ) -> tuple[Piece, Roles, Sequence[str]]:
        """-> rows, roles, names of all columns without their types."""
        text, head, _ = _opened(path, reading)
        roles = resolve(head.names, reading, str(path), lambda: sample_rows(text, _DIALECT, head))
        return read_rows(text, _DIALECT, head, roles.columns, reading.on_bad), roles, head.names

    def table(self, path: Path, reading: Reading) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Every column of a side table, under the names that every source here uses."""
        text, head, kinds = _opened(path, reading)
        piece = read_rows(text, _DIALECT, head, head.names, reading.on_bad)
        shown = [SHOWN_AS.get(name, name) for name in head.names]
        lists = [
            pl.col(name).str.replace_all(" ", "|", literal=True)
            for name, as_name, kind in zip(head.names, shown, kinds, strict=True)
            if kind.endswith("_seq") and as_name != "title"  # a title is a list of words only by the format's wish
        ]
        renamed = {old: new for old, new in zip(head.names, shown, strict=True) if shown.count(new) == 1}
        return piece.frame.with_columns(lists).rename(renamed), side_notes(path, piece)


def _opened(path: Path, reading: Reading) -> tuple[Text, Head, list[str]]:
    """-> the text, its head with the names that have lost their types, the types."""
    text = open_text(path, reading.encoding)
    head = heads.with_header(text, _DIALECT)
    parts = [field.rpartition(":") for field in head.names]
    wrong = [field for field, (_, colon, kind) in zip(head.names, parts, strict=True) if not colon or kind not in TYPES]
    if wrong:
        raise DataError(
            f"{path} line {head.lines}: {wrong[0]!r} is no typed column; an atomic file's header says name:type, "
            f"with the types {', '.join(TYPES)}"
        )
    return text, head.named([name for name, _, _ in parts]), [kind for _, _, kind in parts]


FORMATS = (RecBole(),)
