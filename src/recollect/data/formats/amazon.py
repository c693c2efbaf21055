"""Amazon reviews: tables of ratings, and reviews as JSON; titles from `meta_*.json` beside them.

Source: the pages of McAuley's releases. Ratings of 2014 are user, item, rating, time without a header; those of 2018
item, user, rating, time; those of 2023 have a header. In 2023 the item is the parent_asin, by which products are
described, and times are milliseconds.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from recollect.data.formats import files
from recollect.data.formats.contract import Place, beside
from recollect.data.formats.json import Json
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.opening import open_text
from recollect.data.formats.text.packing import bare_name, beginning, ending
from recollect.data.formats.text.rows import read_rows
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.roles import resolve
from recollect.data.side_table import Side

_REVIEWER = re.compile(r"A[0-9A-Z]{9,20}|#oc-\S+")
_ASIN = re.compile(r"[0-9A-Z]{10}")
_OF_2023 = "user_id,parent_asin,rating,timestamp"
_KEPT = ("title", "brand", "price", "category", "categories", "main_cat", "store", "main_category")


class Amazon:
    """Ratings as CSV, or reviews one JSON object a line."""

    name = "amazon"
    description = "Amazon reviews of 2014, 2018 or 2023, as CSV (ratings) or JSON; titles in meta_X.json beside X"

    def recognises(self, place: Place) -> bool:
        """One file of ratings by the form of its ids, or of reviews by its keys; a folder that has exactly one."""
        return len(_events(place)) == 1

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The ratings, with titles if the products' file lies beside them."""
        found = _events(place) or (place.paths if place.folder is None else ())
        if len(found) != 1:
            raise DataError(f"{place}: {len(found)} files of Amazon reviews in it; name one")
        path = found[0]
        items = _products(path, reading)
        if _is_reviews(path):
            return files.read_files([path], reading, lambda _: Json(), name=name, items=items)
        text = open_text(path, reading.encoding)
        dialect = Dialect(",", quoted=False)
        if _first(path).startswith(_OF_2023):
            head = heads.with_header(text, dialect)
        else:
            head = heads.without_header(text, dialect, _columns([line for _, line in heads.first_lines(text)]))
        roles = resolve(head.names, reading, str(path))
        piece = read_rows(text, dialect, head, roles.columns, reading.on_bad)
        return RawTable(name, [piece], roles, items=items, place=str(path))


def _events(place: Place) -> tuple[Path, ...]:
    paths = place.paths if place.folder is not None or len(place.paths) == 1 else ()
    return tuple(
        path for path in paths if not path.name.startswith("meta") and (_is_ratings(path) or _is_reviews(path))
    )


def _is_ratings(path: Path) -> bool:
    if ending(path) != ".csv":
        return False
    line = _first(path)
    fields = line.split(",")
    return line == _OF_2023 or (
        len(fields) == 4
        and any(map(_REVIEWER.fullmatch, fields[:2]))
        and any(map(_ASIN.fullmatch, fields[:2]))
        and (heads.is_number(fields[2]) and heads.is_number(fields[3]))
    )


def _is_reviews(path: Path) -> bool:
    if ending(path) not in Json.endings:
        return False
    line = _first(path)
    return '"asin"' in line and ('"reviewerID"' in line or ('"parent_asin"' in line and '"user_id"' in line))


def _first(path: Path) -> str:
    """The first line; a review's text may stand before its ids."""
    return beginning(path, 1 << 16).split(b"\n", 1)[0].decode("utf-8", "replace").strip()


def _columns(lines: list[str]) -> tuple[str, ...]:
    """Which of the first two columns is the product: the one of which every id has ten signs."""
    rows = [line.split(",") for line in lines]
    first_is_user = any(not _ASIN.fullmatch(row[0]) for row in rows)
    ids = ("user_id", "item_id") if first_is_user else ("item_id", "user_id")
    return (*ids, "rating", "timestamp")


def _products(path: Path, reading: Reading) -> Side | None:
    """The products of `meta_Beauty.json` for `reviews_Beauty_5.json`, `ratings_Beauty.csv`, `Beauty.csv` and so on."""
    stem = bare_name(path).rsplit(".", 1)[0]
    category = re.sub(r"_5$", "", re.sub(r"^(reviews|ratings)_", "", stem))
    meta = beside(path, f"meta_{category}.json", f"meta_{category}.jsonl")
    if meta is None:
        return None
    frame, notes = Json().table(meta, reading)
    key = next((one for one in ("asin", "parent_asin") if one in frame.columns), None)
    if key is None:
        return None
    return Side(frame.select(key, pl.col([one for one in _KEPT if one in frame.columns])), key, notes)


FORMATS = (Amazon(),)
