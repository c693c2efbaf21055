"""The MovieLens originals in their three shapes: 100K (`u.data`), 1M and 10M (`ratings.dat`), and the CSV family.

Source: the README files of GroupLens' releases; 100K and 1M are ISO-8859-1, 10M is UTF-8, ages and occupations are
codes. A file of one of these names that is written otherwise is no file of theirs.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recollect.data.formats.contract import Place, beside
from recollect.data.formats.delimited import side_notes
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.packing import bare_name, beginning
from recollect.data.formats.text.rows import read_rows, sample_rows
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.roles import resolve
from recollect.data.side_table import Side

RATINGS = ("user_id", "item_id", "rating", "timestamp")
_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
)
_OCCUPATIONS = (
    "other|academic/educator|artist|clerical/admin|college/grad student|customer service|doctor/health care|"
    "executive/managerial|farmer|homemaker|K-12 student|lawyer|programmer|retired|sales/marketing|scientist|"
    "self-employed|technician/engineer|tradesman/craftsman|unemployed|writer"
)
GENRES_100K = tuple(_GENRES.split())
OCCUPATIONS_1M = tuple(_OCCUPATIONS.split("|"))
YEAR = r"\((\d{4})\)\s*$"
_DIALECTS = {
    "u.data": Dialect("\t", quoted=False),
    "ratings.dat": Dialect("::", quoted=False),
    "ratings.csv": Dialect(","),
}


class MovieLens:
    """The releases of GroupLens, with the films and people in the files beside the ratings."""

    name = "movielens"
    description = "MovieLens as GroupLens publishes it: u.data, ratings.dat or ratings.csv, titles beside it"

    def recognises(self, place: Place) -> bool:
        """By the name of the file and the form of its first line."""
        return _ratings(place) is not None

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The ratings, and the side tables that lie beside them."""
        path = _ratings(place)
        if path is None:
            raise DataError(f"{place}: no u.data, ratings.dat or ratings.csv as GroupLens publishes them")
        kind = bare_name(path)
        dialect = _DIALECTS[kind]
        text = open_text(path, reading.encoding)
        if kind == "ratings.csv":
            head = heads.with_header(text, dialect)
            items, users = _films_csv(path, reading), None
        else:
            head = heads.without_header(text, dialect, RATINGS)
            old = kind == "u.data"
            items = _films_100k(path, reading) if old else _films_1m(path, reading)
            users = _people_100k(path, reading) if old else _people_1m(path, reading)
        roles = resolve(head.names, reading, str(path), lambda: sample_rows(text, dialect, head))
        piece = read_rows(text, dialect, head, roles.columns, reading.on_bad)
        return RawTable(name, [piece], roles, users=users, items=items, place=str(path))


def _ratings(place: Place) -> Path | None:
    """The file of the ratings, if the place is of this family."""
    if place.folder is None and len(place.paths) != 1:
        return None
    return next((path for path in place.named(*_DIALECTS) if _is_one(path)), None)


def _is_one(path: Path) -> bool:
    line = beginning(path, 400).removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    kind = bare_name(path)
    if kind == "ratings.csv":
        return line.startswith("userId,movieId,rating")
    return len(fields := line.split(_DIALECTS[kind].separator)) == 4 and all(map(heads.is_number, fields))


def _films_100k(ratings: Path, reading: Reading) -> Side | None:
    columns = ("item_id", "title", "release_date", "video_date", "url", *GENRES_100K)
    found = _side(beside(ratings, "u.item"), Dialect("|", quoted=False), columns, reading)
    if found is None:
        return None
    flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES_100K]
    genres = pl.concat_str(flags, separator="|", ignore_nulls=True).alias("genres")
    frame = found.frame.select("item_id", "title", _year("title"), "release_date", genres)
    return Side(frame, "item_id", found.notes)


def _people_100k(ratings: Path, reading: Reading) -> Side | None:
    columns = ("user_id", "age", "gender", "occupation", "zip_code")
    return _side(beside(ratings, "u.user"), Dialect("|", quoted=False), columns, reading)


def _films_1m(ratings: Path, reading: Reading) -> Side | None:
    found = _side(beside(ratings, "movies.dat"), Dialect("::", quoted=False), ("item_id", "title", "genres"), reading)
    if found is None:
        return None
    return Side(found.frame.select("item_id", "title", _year("title"), "genres"), "item_id", found.notes)


def _people_1m(ratings: Path, reading: Reading) -> Side | None:
    columns = ("user_id", "gender", "age", "occupation", "zip_code")
    found = _side(beside(ratings, "users.dat"), Dialect("::", quoted=False), columns, reading)
    if found is None:
        return None
    names = {str(code): occupation for code, occupation in enumerate(OCCUPATIONS_1M)}
    return Side(found.frame.with_columns(pl.col("occupation").replace(names)), "user_id", found.notes)


def _films_csv(ratings: Path, reading: Reading) -> Side | None:
    found = _side(beside(ratings, "movies.csv"), Dialect(","), None, reading)
    if found is None or not {"movieId", "title"} <= set(found.frame.columns):
        return None
    return Side(found.frame.with_columns(_year("title")), "movieId", found.notes)


def _side(path: Path | None, dialect: Dialect, columns: tuple[str, ...] | None, reading: Reading) -> Side | None:
    """A file beside the ratings, its ids in its first column; without `columns` its first line names them."""
    if path is None:
        return None
    text = _opened(path, reading)
    head = heads.with_header(text, dialect) if columns is None else heads.without_header(text, dialect, columns)
    piece = read_rows(text, dialect, head, head.names, reading.on_bad)
    return Side(piece.frame, head.names[0], side_notes(path, piece))


def _opened(path: Path, reading: Reading) -> Text:
    """The older releases are ISO-8859-1, whatever their bytes look like."""
    text = open_text(path, reading.encoding)
    return open_text(path, "latin-1") if text.perhaps else text


def _year(title: str) -> pl.Expr:
    return pl.col(title).str.extract(YEAR).alias("year")


FORMATS = (MovieLens(),)
