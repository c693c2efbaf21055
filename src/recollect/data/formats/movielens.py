"""The MovieLens originals in their three shapes: 100K (`u.data`), 1M and 10M (`ratings.dat`), and the CSV family.

Source: the README files of GroupLens' releases; the older ones are ISO-8859-1, ages and occupations are codes.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recollect.data.formats import delimited
from recollect.data.formats.delimited import Dialect
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


def is_movielens_csv(path: Path) -> bool:
    """True if a `ratings.csv` is of this family, by its header."""
    if path.name != "ratings.csv":
        return False
    with path.open("rb") as file:
        return (
            file.readline(200).decode("utf-8", "replace").lstrip("\ufeff").strip().startswith("userId,movieId,rating")
        )


def read_movielens(path: Path, reading: Reading, *, name: str) -> RawTable:
    """The ratings of `u.data`, `ratings.dat` or `ratings.csv`, with the films and people in the files beside it."""
    if path.name == "u.data":
        dialect = Dialect("\t", names=RATINGS, quoted=False)
        items, users = _films_100k(path.with_name("u.item")), _people_100k(path.with_name("u.user"))
    elif path.name == "ratings.dat":
        dialect = Dialect("::", names=RATINGS, quoted=False)
        items, users = _films_1m(path.with_name("movies.dat")), _people_1m(path.with_name("users.dat"))
    else:
        dialect = Dialect(",")
        items, users = _films_csv(path.with_name("movies.csv")), None
    data = delimited.read_text(path)
    names, _ = delimited.header(path, data, dialect)
    roles = resolve(names, reading, str(path), lambda: delimited.sample(path, data, dialect))
    piece = delimited.read(path, data, dialect, roles.columns, reading.on_bad)
    return RawTable(name, [piece], roles, users=users, items=items, place=str(path))


def _films_100k(path: Path) -> Side | None:
    columns = ("item_id", "title", "release_date", "video_date", "url", *GENRES_100K)
    frame = _side(path, Dialect("|", columns, quoted=False, encoding="latin-1"))
    if frame is None:
        return None
    flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES_100K]
    genres = pl.concat_str(flags, separator="|", ignore_nulls=True).alias("genres")
    return Side(frame.select("item_id", "title", _year("title"), "release_date", genres), "item_id")


def _people_100k(path: Path) -> Side | None:
    columns = ("user_id", "age", "gender", "occupation", "zip_code")
    frame = _side(path, Dialect("|", columns, quoted=False, encoding="latin-1"))
    return None if frame is None else Side(frame, "user_id")


def _films_1m(path: Path) -> Side | None:
    frame = _side(path, Dialect("::", ("item_id", "title", "genres"), quoted=False, encoding="latin-1"))
    return None if frame is None else Side(frame.select("item_id", "title", _year("title"), "genres"), "item_id")


def _people_1m(path: Path) -> Side | None:
    columns = ("user_id", "gender", "age", "occupation", "zip_code")
    frame = _side(path, Dialect("::", columns, quoted=False, encoding="latin-1"))
    if frame is None:
        return None
    names = {str(code): occupation for code, occupation in enumerate(OCCUPATIONS_1M)}
    return Side(frame.with_columns(pl.col("occupation").replace(names)), "user_id")


def _films_csv(path: Path) -> Side | None:
    frame = _side(path, Dialect(",", errors="replace"))
    if frame is None or not {"movieId", "title"} <= set(frame.columns):
        return None
    return Side(frame.with_columns(_year("title")), "movieId")


def _side(path: Path, dialect: Dialect) -> pl.DataFrame | None:
    if not path.exists():
        return None
    data = delimited.read_text(path)
    names, _ = delimited.header(path, data, dialect)
    return delimited.read(path, data, dialect, names, "stop").frame


def _year(title: str) -> pl.Expr:
    return pl.col(title).str.extract(YEAR).alias("year")
