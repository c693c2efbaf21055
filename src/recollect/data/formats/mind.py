"""MIND, the Microsoft News dataset: `behaviors.tsv` with earlier clicks and what was shown, `news.tsv` beside it.

Events are the clicked news of each impression (N1-1, not N2-0), at its time. The history has no times of its own: it
stands at the time of the user's first impression, before that impression's clicks and in its own order.
Source: the format's page at msnews.github.io.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from recollect.data.formats.contract import Place, beside
from recollect.data.formats.delimited import side_notes
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import beginning
from recollect.data.formats.text.rows import read_rows
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import resolve
from recollect.data.side_table import Side

_COLUMNS = ("impression_id", "user_id", "time", "history", "impressions")
_NEWS = ("item_id", "category", "subcategory", "title", "abstract", "url", "title_entities", "abstract_entities")
_CLOCK = "%m/%d/%Y %I:%M:%S %p"
_SHOWN = re.compile(r"\S+-[01]( \S+-[01])*")
_DIALECT = Dialect("\t", quoted=False)


class Mind:
    """Impressions, their clicks, and the clicks before them."""

    name = "mind"
    description = "MIND (Microsoft News): behaviors.tsv, the clicked news as events after each user's history"

    def recognises(self, place: Place) -> bool:
        """By the name, and by what was shown in the last field of the first line."""
        return _behaviors(place) is not None

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The clicks. DataError if columns are asked for: they are made here."""
        path = _behaviors(place) or (place.paths[0] if place.folder is None and len(place.paths) == 1 else None)
        if path is None:
            raise DataError(f"{place}: no behaviors.tsv in it")
        text = open_text(path, reading.encoding)
        head = heads.without_header(text, _DIALECT, _COLUMNS)
        rows = read_rows(text, _DIALECT, head, _COLUMNS, reading.on_bad)
        piece = _events(rows)
        roles = resolve(piece.frame.columns, reading, str(path))
        notes = (
            "clicked news are the events; a user's history stands before the first impression, at its time, as it has "
            "none of its own",
        )
        return RawTable(name, [piece], roles, items=_news(path, reading), notes=notes, place=str(path))


def _behaviors(place: Place) -> Path | None:
    if place.folder is None and len(place.paths) != 1:
        return None
    for path in place.named("behaviors.tsv"):
        fields = beginning(path, 1 << 18).split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r").split("\t")
        if len(fields) == len(_COLUMNS) and _SHOWN.match(fields[-1]):
            return path
    return None


def _events(rows: Piece) -> Piece:
    """Clicks of every impression, and before a user's first one the history it names."""
    frame = rows.frame.with_row_index("row").with_columns(moment=_moments(rows.frame["time"]))
    first = frame.sort("moment", maintain_order=True).unique("user_id", keep="first", maintain_order=True)["row"]
    before = pl.when(pl.col("row").is_in(first.implode())).then(pl.col("history").str.split(" "))
    shown = pl.col("impressions").str.split(" ")
    clicked = shown.list.eval(pl.element().filter(pl.element().str.ends_with("-1")).str.strip_suffix("-1"))
    empty = pl.lit([], dtype=pl.List(pl.String))
    items = pl.concat_list(before.fill_null(empty), clicked.fill_null(empty))
    long = frame.with_columns(item_id=items).filter(pl.col("item_id").list.len() > 0).explode("item_id")
    long = long.filter(pl.col("item_id") != "")
    places, line = long["row"].to_numpy(), rows.line
    # What cannot be read stays as it is, to be answered with its line.
    time = pl.coalesce(pl.col("moment").dt.to_string("%Y-%m-%d %H:%M:%S"), pl.col("time")).alias("time")
    events = long.select("user_id", "item_id", time)
    return Piece(events, lambda row: line(int(places[row])), rows.dropped, rows.notes)


def _moments(time: pl.Series) -> pl.Series:
    return time.str.to_datetime(_CLOCK, strict=False, time_unit="us")


def _news(path: Path, reading: Reading) -> Side | None:
    found = beside(path, "news.tsv")
    if found is None:
        return None
    text = open_text(found, reading.encoding)
    width = len(heads.without_header(text, _DIALECT).names)
    names = (
        _NEWS[:width] if width <= len(_NEWS) else (*_NEWS, *(f"column {k}" for k in range(len(_NEWS) + 1, width + 1)))
    )
    piece = read_rows(text, _DIALECT, heads.without_header(text, _DIALECT, names), names, reading.on_bad)
    kept = [name for name in ("item_id", "title", "category", "subcategory", "abstract") if name in names]
    return Side(piece.frame.select(kept), "item_id", side_notes(found, piece))


FORMATS = (Mind(),)
