"""The tables that describe items and users, named beside the log: which column is the id, and which the title.

The ids are looked for where the log has them: under the log's own name for them, then under the usual names.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recollect.data.formats import registry
from recollect.data.formats.frames import side_of_frame
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, guess, listed
from recollect.data.side_table import Side

TITLE_NAMES = (
    "title name itemtitle itemname productname producttitle movietitle booktitle trackname tracktitle songname "
    "artistname articletitle venuename gamename appname description productdescription "
    "bezeichnung artikelbezeichnung produktbezeichnung artikelname produktname titel titre designation libelle titulo "
    "nombre descripcion"
)


def with_sides(table: RawTable, reading: Reading, given: Mapping[str, Any]) -> RawTable:
    """The raw table with the side tables that were named; those that the format found itself stay where none was.

    `given`: `items` and `users`, each a file, a table, or None. DataError where one cannot be read, or has no column of
    the name asked for.
    """
    items = _side(given["items"], "items", reading, (*table.roles.item, ITEM_NAMES), reading.item_key)
    users = _side(given["users"], "users", reading, (*table.roles.user, USER_NAMES), reading.user_key)
    items = _titled(items if items is not None else table.items, reading)
    return dataclasses.replace(table, items=items, users=users if users is not None else table.users)


def _side(given: Any, what: str, reading: Reading, names: tuple[str, ...], key: str | None) -> Side | None:
    if given is None:
        return None
    known = names[-1]
    if isinstance(given, str | os.PathLike):
        path = Path(given).expanduser()
        if not path.is_file():
            raise DataError(f"{path}: no such file, so there is nothing to describe the {what} with")
        side = registry.side(path, reading, known)
        side = dataclasses.replace(side, place=str(path), notes=tuple(f"{path}: {note}" for note in side.notes))
    else:
        side = side_of_frame(given, known, f"the table of {what}")
    side = dataclasses.replace(side, named=True)
    columns = side.frame.columns
    if key is not None:
        if key not in columns:
            raise DataError(f"{side.place}: no column {key!r}; there are {listed(columns)}")
        return dataclasses.replace(side, key=key)
    own = next((name for name in names[:-1] if name in columns), None)
    return side if own is None else dataclasses.replace(side, key=own)


def _titled(side: Side | None, reading: Reading) -> Side | None:
    """The side table with its titles in a column of that name."""
    wanted = reading.item_title
    if side is None:
        if wanted is not None:
            raise DataError(
                f"item_title: {wanted!r} is a column of the item table, and there is none; name it: --items"
            )
        return None
    columns = [name for name in side.frame.columns if name != side.key]
    if wanted is not None and wanted not in columns:
        raise DataError(f"{side.place or 'the item table'}: no column {wanted!r}; there are {listed(columns)}")
    found = wanted or guess(columns, TITLE_NAMES)
    if found is None and side.named and columns:
        note = f"no column of {side.place or 'the item table'} is known as the title, so ids are shown instead"
        return dataclasses.replace(side, notes=(*side.notes, f"{note}; name one with --item-title: {listed(columns)}"))
    if found is None or found == "title":
        return side
    frame = side.frame.drop("title") if "title" in columns else side.frame
    note = f"titles of items: column {found}"
    return dataclasses.replace(side, frame=frame.rename({found: "title"}), notes=(*side.notes, note))
