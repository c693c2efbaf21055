"""A time in parts: a year, a month, a day, an hour, a minute and a second, each in a column of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from recollect.data.log import DataError
from recollect.data.times import dates, span
from recollect.data.times.forms import MONTH
from recollect.data.times.moments import DATES, Moments
from recollect.data.times.names import plain
from recollect.data.times.order import ORDERS, YEAR_FIRST

PARTS = (
    ("year", "yyyy yr jahr anno ano annee"),
    ("month", "mm mon monat mes mese mois monthofyear"),
    ("day", "dd dayofmonth monthday tag dia giorno jour"),
    ("hour", "hh hr hours hourofday stunde hora ora heure"),
    ("minute", "min minutes mi minuto"),
    ("second", "sec seconds ss sekunde segundo secondo seconde"),
)
"""What the parts are called, in the order in which they are given."""
_MONTH = rf"(?i)^{MONTH}$"
_SIGNS = ("", "-", "-", " ", ":", ":")
_RANGES = ((span.FIRST_YEAR, 2100), (1, 12), (1, 31), (0, 24), (0, 60), (0, 60))


def are_parts(names: Sequence[str]) -> bool:
    """Whether columns are, by their names, a year and what follows it."""
    return 1 < len(names) <= len(PARTS) and all(_is(name, place) for place, name in enumerate(names))


def found_among(columns: Mapping[str, pl.Series]) -> tuple[str, ...]:
    """The columns, by name and values, of a year and all that follows it without a gap; () if not even a month does."""
    found: list[str] = []
    for place, (low, high) in enumerate(_RANGES):
        name = next((name for name in columns if _is(name, place) and _within(columns[name], low, high)), None)
        if name is None:
            break
        found.append(name)
    return tuple(found) if len(found) > 1 else ()


def read_parts(columns: pl.DataFrame, missing: np.ndarray, form: str | None) -> Moments:
    """Moments of a year, a month and so on, in this order; a row in which one is missing has no time.

    DataError where there are too many columns, or `form` is one of numbers.
    """
    if columns.width > len(PARTS) or form not in (None, DATES, *ORDERS):
        which = f"time format {form!r} and a time" if columns.width <= len(PARTS) else "a time"
        raise DataError(
            f"{which} of {columns.width} columns ({','.join(columns.columns)}) do not go together; give one column, a "
            "date and a time of day, year,month,day[,hour[,minute[,second]]], or a pattern as --time-format for all of "
            "them with blanks between (`%d %m %Y`)"
        )
    text = pl.lit("")
    for sign, column in zip(_SIGNS, columns, strict=False):
        text = text + sign + pl.lit(_digits(column))
    joined = pl.select(text.alias(",".join(columns.columns))).to_series()
    order = form if form in ORDERS else YEAR_FIRST
    return dates.read_dates(joined, missing, order, as_it_is=form == DATES)


def _digits(column: pl.Series) -> pl.Series:
    """A column of numbers as text, without the `.0` of integers that became floats."""
    return column.cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "")


def _is(name: str, place: int) -> bool:
    first, others = PARTS[place]
    return plain(name) in (first, *others.split())


def _within(column: pl.Series, low: int, high: int) -> bool:
    """Whether all that a column holds are integers of this range, or names of months where it is theirs."""
    if not (column.dtype.is_numeric() or column.dtype == pl.String):
        return False
    given = column.drop_nulls()
    if column.dtype == pl.String and (low, high) == _RANGES[1]:
        given = given.str.strip_chars().str.replace(_MONTH, "1")
    numbers = given.cast(pl.Float64, strict=False)
    if not len(given) or numbers.null_count():
        return False
    return bool((numbers.is_between(low, high) & (numbers == numbers.floor())).all())
