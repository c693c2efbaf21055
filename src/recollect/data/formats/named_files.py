"""Public logs that come as several files with named columns: which file holds the events, and which columns they are.

Sources: the owners' pages and READMEs of the Steam reviews (Kang and McAuley 2018), Goodreads (Wan and McAuley 2018),
Yelp's open dataset, Retailrocket, KuaiRec (Gao 2022), H&M (Kaggle 2022), LFM-2b (Schedl 2022).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from pathlib import Path

import polars as pl

from recollect.data.formats import files
from recollect.data.formats.contract import Place, beside
from recollect.data.formats.delimited import Delimited
from recollect.data.formats.json import Json
from recollect.data.formats.text.packing import bare_name, beginning, ending
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.side_table import Side

_FIRST = 1 << 16  # bytes: a review's text may stand before its ids
_KEY = re.compile(r"""["'](\w+)["']\s*:""")


@dataclasses.dataclass(frozen=True)
class Named:
    """One such log. `file`: a pattern of the name of its events' file; `user`, `item`, `time`: its columns.

    `others`: further columns by which it is known.
    """

    name: str
    description: str
    file: str
    user: str
    item: str
    time: str
    others: tuple[str, ...] = ()
    items: str = ""
    """The file beside it that describes the items; `*` stands for what it stands for in `file`."""
    key: str = ""
    shown: tuple[str, ...] = ()
    """The columns of that file that are kept: the title first, by whatever name."""

    def recognises(self, place: Place) -> bool:
        """By the name, and by the names of the columns on the first line."""
        return bool(self._found(place))

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The events, and the items that are described beside them. DataError if a folder has several such files."""
        found = self._found(place) or (place.paths if place.folder is None else ())
        if len(found) != 1:
            shown = ", ".join(path.name for path in found[:5])
            raise DataError(
                f"{place}: {len(found)} files of {self.name} ({shown}) in it; name one of them"
                if found
                else f"{place}: no {self.file} in it"
            )
        asked = reading.but(
            user=reading.user or self.user, item=reading.item or self.item, time=reading.time or self.time
        )
        items = self._items(found[0], reading)
        return files.read_files(found, asked, lambda _: _kind(found[0]), name=name, items=items)

    def _found(self, place: Place) -> tuple[Path, ...]:
        if place.folder is None and len(place.paths) != 1:
            return ()
        return tuple(filter(self._holds, place.named(self.file)))

    def _holds(self, path: Path) -> bool:
        return {self.user, self.item, self.time, *self.others} <= _columns(path)

    def _items(self, events: Path, reading: Reading) -> Side | None:
        before, star, after = self.file.partition("*")
        meant = bare_name(events)[len(before) : len(bare_name(events)) - len(after)] if star else ""
        fits = self.items and fnmatch.fnmatch(bare_name(events), self.file)
        names = [self.items.replace("*", meant), self.items.replace("_*", "")] if fits else []
        path = beside(events, *names)
        if path is None:
            return None
        frame, notes = _kind(path).table(path, reading)
        if not {self.key, self.shown[0]} <= set(frame.columns):
            return None
        kept = frame.select(self.key, *(column for column in self.shown if column in frame.columns))
        if self.shown[0] != "title":
            kept = kept.rename({self.shown[0]: "title"})
        return Side(kept.filter(pl.col(self.key).is_not_null()), self.key, notes)


def _columns(path: Path) -> set[str]:
    """The names on the first line: a header's fields, or the keys of a JSON object or a Python dictionary."""
    line = beginning(path, _FIRST).split(b"\n", 1)[0].decode("utf-8", "replace").strip("\ufeff\r ")
    if isinstance(_kind(path), Json):
        return set(_KEY.findall(line))
    return {field.strip(' "') for field in re.split(r"[,\t]", line)}


def _kind(path: Path) -> Json | Delimited:
    return Json() if ending(path) in Json.endings else Delimited()


FORMATS = (
    Named(
        "steam",
        "Steam reviews (steam_reviews.json); the user is the username, as most rows have no user_id",
        "steam_*.json",
        "username",
        "product_id",
        "date",
        items="steam_games.json",
        key="id",
        shown=("app_name", "genres", "developer", "publisher", "release_date", "price"),
    ),
    Named(
        "goodreads",
        "Goodreads interactions; the time is date_added, or say --time read_at, which many rows do not have",
        "goodreads_interactions_*.json",
        "user_id",
        "book_id",
        "date_added",
        items="goodreads_books_*.json",
        key="book_id",
        shown=("title", "publisher", "publication_year", "language_code"),
    ),
    Named(
        "yelp",
        "Yelp's open dataset: reviews, with the names of the businesses beside them",
        "yelp_academic_dataset_review.json",
        "user_id",
        "business_id",
        "date",
        items="yelp_academic_dataset_business.json",
        key="business_id",
        shown=("name", "categories", "city", "state"),
    ),
    Named(
        "retailrocket",
        "Retailrocket's events.csv: views, carts and transactions (--where and --kind choose among them)",
        "events.csv",
        "visitorid",
        "itemid",
        "timestamp",
        ("event", "transactionid"),
    ),
    Named(
        "kuairec",
        "KuaiRec: big_matrix.csv",
        "big_matrix.csv",
        "user_id",
        "video_id",
        "timestamp",
        ("play_duration", "video_duration", "watch_ratio"),
    ),
    Named(
        "hm",
        "H&M's transactions_train.csv, with the articles beside it",
        "transactions_train.csv",
        "customer_id",
        "article_id",
        "t_dat",
        items="articles.csv",
        key="article_id",
        shown=("prod_name", "product_type_name", "product_group_name", "colour_group_name", "department_name"),
    ),
    Named(
        "lfm-2b",
        "LFM-2b listening events (listening_events.tsv)",
        "listening_events.tsv",
        "user_id",
        "track_id",
        "timestamp",
        ("album_id",),
    ),
)
