"""A time of day in a column of its own, beside a date: 19:30, 7:30 PM, or the numbers 1930 and 193000.

`5` is five past midnight where the column is one of hours and minutes, and five o'clock where it is one of hours.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from recollect.data.times import dates
from recollect.data.times.forms import form_of
from recollect.data.times.moments import Moments, Remark, nothing
from recollect.data.times.span import DAY, MICRO

MIDNIGHT = "2000-01-01"
"""Stands before a time of day, so that it is read as a date is."""
ZONE = r"^(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\]?$"
MIDNIGHT_SECONDS = 946_684_800


def are_clocks(text: pl.Series) -> bool:
    """Whether text is mostly times of day, by some of it."""
    some = dates.some_of(text)
    return 2 * sum(is_clock(one) for one in some) > len(some)


def is_clock(text: str) -> bool:
    """Whether a text looks like a time of day."""
    return ":" in text and form_of(f"{MIDNIGHT} {text.strip()}") is not None


def are_zones(column: pl.Series) -> bool:
    """Whether a column holds zones, of moments in another one: in an access log cut at blanks, `-0700]`."""
    return column.dtype == pl.String and bool(column.drop_nulls().head(100).str.contains(ZONE).all())


def join(days: Moments, clock: Moments) -> Moments:
    """Days and the times of day beside them as moments; a row without a time of day has no time."""
    seconds = days.exact.astype(np.int64) * (MICRO // days.per_second)
    return dataclasses.replace(
        days,
        exact=seconds + clock.exact,
        per_second=MICRO,
        missing=days.missing | clock.missing,
        bad=(days.bad | clock.bad) & ~(days.missing | clock.missing),
        notes=(*days.notes, *clock.notes),
    )


def whole_days(days: Moments) -> bool:
    """Whether moments are days: dates without a time of day of their own."""
    at = days.exact[days.usable]
    return not days.elapsed and not (at % (DAY * days.per_second)).any()


def read_clock(column: pl.Series, missing: np.ndarray) -> Moments:
    """Times of day as microseconds since midnight; what is none is bad."""
    kind = column.dtype
    if kind == pl.Time:
        return _since_midnight(column.cast(pl.Int64).fill_null(0).to_numpy() // 1000, missing, nothing(len(column)))
    if isinstance(kind, pl.Datetime):  # a spreadsheet's times of day are on some day that means nothing
        exact = column.dt.cast_time_unit("us").to_physical().fill_null(0).to_numpy()
        return _since_midnight(exact % (DAY * MICRO), missing, nothing(len(column)))
    if kind.is_numeric():
        return _from_numbers(column, column.cast(pl.Float64), missing)
    if kind != pl.String:
        return _since_midnight(np.zeros(len(column), np.int64), missing, ~missing)
    text = column.str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    if number.is_not_null().to_numpy()[~missing].all():
        return _from_numbers(column, number, missing)
    found = dates.read_dates(MIDNIGHT + " " + text, missing)
    return _since_midnight(found.exact - MIDNIGHT_SECONDS * MICRO, missing, found.bad)


def _since_midnight(exact: np.ndarray, missing: np.ndarray, bad: np.ndarray, notes: tuple[Remark, ...] = ()) -> Moments:
    unusable = missing | bad
    return Moments(np.where(unusable, 0, exact), MICRO, missing, bad, nothing(len(exact)), notes)


def _from_numbers(column: pl.Series, number: pl.Series, missing: np.ndarray) -> Moments:
    """Hours, hours and minutes, or hours, minutes and seconds: the shortest form in which all numbers can be meant."""
    values = np.where(missing, 0.0, number.fill_null(float("nan")).to_numpy())
    bad = ~missing & ~((values >= 0) & (values < 240_000) & (values == np.floor(values)))
    whole = np.where(bad, 0, values).astype(np.int64)
    most = int(whole.max(initial=0))
    if most < 24 and "min" not in column.name.lower() and "hhmm" not in column.name.lower():
        return _since_midnight(whole * 3600 * MICRO, missing, bad, (Remark(f"{column.name} is read as hours"),))
    if most < 10_000:
        hours, minutes, seconds = whole // 100, whole % 100, 0 * whole
        note = f"{column.name} is read as hours and minutes: 1930 is 19:30"
    else:
        hours, minutes, seconds = whole // 10_000, whole // 100 % 100, whole % 100
        note = f"{column.name} is read as hours, minutes and seconds: 193000 is 19:30:00"
    bad |= (minutes > 59) | (seconds > 59)
    return _since_midnight(((hours * 60 + minutes) * 60 + seconds) * MICRO, missing, bad, (Remark(note),))
