"""RecBole atomic files: `.inter` with `.item` and `.user` beside it; tab-separated, the header says `name:type`.

Source: the format's description in RecBole's documentation; here types only decide how lists of words are shown.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recollect.data.formats import delimited
from recollect.data.formats.delimited import Dialect
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, guess, resolve
from recollect.data.side_table import Side

TYPES = ("token", "token_seq", "float", "float_seq")
# What the published files call the things that every source here calls the same.
SHOWN_AS = {
    **dict.fromkeys(("movie_title", "item_name", "product_title", "name"), "title"),
    **dict.fromkeys(("class", "genre", "categories"), "genres"),
    "release_year": "year",
}


def read_recbole(path: Path, reading: Reading, *, name: str) -> RawTable:
    """The events of an `.inter` file, with the side tables of the same name beside it."""
    data, dialect, names, _ = _opened(path)
    roles = resolve(names, reading, str(path), lambda: delimited.sample(path, data, dialect))
    piece = delimited.read(path, data, dialect, roles.columns, reading.on_bad)
    items, users = path.with_suffix(".item"), path.with_suffix(".user")
    return RawTable(
        name,
        [piece],
        roles,
        users=_side(users, USER_NAMES) if users.exists() else None,
        items=_side(items, ITEM_NAMES) if items.exists() else None,
        place=str(path),
    )


def _opened(path: Path) -> tuple[bytes, Dialect, list[str], list[str]]:
    """-> the text, how to read it, the column names without their types, the types."""
    data = delimited.read_text(path)
    dialect = Dialect("\t", quoted=False)
    typed, skip = delimited.header(path, data, dialect)
    parts = [field.rpartition(":") for field in typed]
    wrong = [field for field, (_, colon, kind) in zip(typed, parts, strict=True) if not colon or kind not in TYPES]
    if wrong:
        raise DataError(
            f"{path} line {skip}: {wrong[0]!r} is no typed column; an atomic file's header says name:type, "
            f"with the types {', '.join(TYPES)}"
        )
    names = [name for name, _, _ in parts]
    return data, Dialect("\t", tuple(names), titled=True, quoted=False), names, [kind for _, _, kind in parts]


def _side(path: Path, known: str) -> Side:
    data, dialect, names, kinds = _opened(path)
    frame = delimited.read(path, data, dialect, names, "stop").frame
    shown = [SHOWN_AS.get(name, name) for name in names]
    lists = [
        pl.col(name).str.replace_all(" ", "|", literal=True)
        for name, as_name, kind in zip(names, shown, kinds, strict=True)
        if kind.endswith("_seq") and as_name != "title"  # a title is a list of words only by the format's wish
    ]
    key = guess(names, known) or names[0]
    renamed = {old: new for old, new in zip(names, shown, strict=True) if old != key and shown.count(new) == 1}
    return Side(frame.with_columns(lists).rename(renamed), key)
