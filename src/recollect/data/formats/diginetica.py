"""Diginetica (CIKM Cup 2016): `train-item-views.csv`, whose time is a date and milliseconds since the session's start.

The start is the session's first query, whose hour nobody knows: times are right inside a session, and to a day between
sessions. Most rows have no userId, so that a session is the user. Source: the data description on the page of the cup.
Many copies have a header of `session_id;user_id;item_id;timeframe;eventdate`, as SR-GNN's preparation wants it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from recollect.data.formats.contract import Place
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import beginning
from recollect.data.formats.text.rows import read_rows
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.roles import resolve

_NAME = "train-item-views.csv"
_COLUMNS = ("sessionId", "userId", "itemId", "timeframe", "eventdate")


class Diginetica:
    """Views of items in sessions."""

    name = "diginetica"
    description = "Diginetica's train-item-views.csv: a session is a user, the time is eventdate and timeframe"

    def recognises(self, place: Place) -> bool:
        """By the name and the columns."""
        return _views(place) is not None

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The views. Rows are in no order, so that the time inside a session decides it."""
        path = _views(place)
        if path is None:
            raise DataError(f"{place}: no {_NAME} with the columns {';'.join(_COLUMNS)}")
        text = open_text(path, reading.encoding)
        dialect = Dialect(";")
        head = heads.with_header(text, dialect)
        session, item = head.names[0], head.names[2]
        rows = read_rows(text, dialect, head, head.names, reading.on_bad)
        day = pl.col("eventdate").str.to_datetime("%Y-%m-%d", strict=False, time_unit="ms")
        inside = pl.col("timeframe").cast(pl.Int64, strict=False)
        whole = rows.frame.with_columns(time=day + pl.duration(milliseconds=inside))
        wrong = whole["time"].is_null() & (whole["eventdate"].is_not_null() | whole["timeframe"].is_not_null())
        if wrong.any() and reading.on_bad == "stop":
            row = int(wrong.arg_max() or 0)
            raise DataError(
                f"{rows.line(row)}: eventdate and timeframe are no time ({int(wrong.sum())} such rows); correct them, "
                "or leave such rows out with --on-bad skip"
            )
        asked = reading.but(user=reading.user or session, item=reading.item or item, time=reading.time or "time")
        roles = resolve(whole.columns, asked, str(path))
        return RawTable(name, [dataclasses.replace(rows, frame=whole)], roles, place=str(path))


def _views(place: Place) -> Path | None:
    if place.folder is None and len(place.paths) != 1:
        return None
    wanted = ";".join(_COLUMNS).lower().encode()
    for path in place.named(_NAME):
        line = beginning(path, 400).removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
        if line.replace(b'"', b"").replace(b"_", b"").strip().lower().startswith(wanted):
            return path
    return None


FORMATS = (Diginetica(),)
