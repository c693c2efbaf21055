"""A column of times, whatever it holds, to exact integer moments: unix numbers, dates, or text of either.

Numbers are seconds unless their size says milli-, micro- or nanoseconds; a date or time without a zone is UTC.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

MICRO = 1_000_000
MISSING_WORDS = ("", "nan", "nat", "null", "none", "na", "n/a", "\\n")

# Unix seconds stay below 1e11 until the year 5138, and milliseconds stay above it from 1973 on; and so forth.
UNITS = ((1e11, 1, "seconds"), (1e14, 1_000, "milliseconds"), (1e17, MICRO, "microseconds"))

TEXT_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
EXPECTED = "expected unix seconds or an ISO date such as 2024-05-31 12:30:00"


@dataclasses.dataclass(frozen=True, slots=True)
class Moments:
    """`exact` [n] int64 counts of `1 / per_second` since 1970; `missing` and `bad` [n] bool: nothing, and nonsense."""

    exact: np.ndarray
    per_second: int
    missing: np.ndarray
    bad: np.ndarray
    note: str = ""

    def seconds(self, exact: np.ndarray) -> np.ndarray:
        """Whole seconds, rounded down; this keeps the order of the exact moments."""
        return exact // self.per_second


def read_moments(columns: pl.DataFrame, form: str | None = None) -> Moments:
    """Moments of one column (numbers, dates, datetimes, or text that holds numbers or ISO dates), or of a date and a
    time of day in two. `form`: how they are written, as `Reading.time_format` says."""
    column = columns.to_series()
    kind = column.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        missing = column.is_null().to_numpy()
        return _from_dates(column.cast(pl.Datetime("us")), missing, missing & False, "")
    if kind.is_numeric():
        floats = column.cast(pl.Float64)
        missing = (column.is_null() | floats.is_nan().fill_null(True)).to_numpy()
        reader = _dates_or_numbers if kind.is_integer() else _from_numbers
        return reader(column, missing, missing & False)
    if kind == pl.String:
        return _from_text(column)
    nothing = column.is_null().to_numpy()
    return Moments(np.zeros(len(column), np.int64), 1, nothing, ~nothing)


def _from_text(column: pl.Series) -> Moments:
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() == 0:  # the common case: nothing but integers
        return _dates_or_numbers(whole, np.zeros(len(column), bool), np.zeros(len(column), bool))
    text = column.str.strip_chars()
    missing = (text.is_null() | text.str.to_lowercase().is_in(MISSING_WORDS).fill_null(True)).to_numpy()
    whole = text.cast(pl.Int64, strict=False)
    number = text.cast(pl.Float64, strict=False)
    numeric = (number.is_finite().fill_null(False)).to_numpy() & ~missing
    found = _parse_dates(text)
    if numeric.sum() >= found.is_not_null().sum():  # whichever kind explains more of the column is its kind
        bad = ~numeric & ~missing
        if (whole.is_not_null().to_numpy() | ~numeric).all():
            return _dates_or_numbers(whole, missing, bad)
        return _from_numbers(number, missing, bad)
    missing_dates = missing & found.is_null().to_numpy()
    return _from_dates(found, missing_dates, found.is_null().to_numpy() & ~missing_dates, "")


def _parse_dates(text: pl.Series) -> pl.Series:
    """Datetimes in UTC, null where the text is none."""
    plain = text.str.replace("T", " ", literal=True)
    found = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    for form in TEXT_FORMATS:
        if found.null_count() == 0:
            return found
        found = found.fill_null(plain.str.to_datetime(form, strict=False, time_unit="us"))
    if found.null_count():
        zoned = text.str.replace(" UTC", "Z", literal=True)
        aware = zoned.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
        found = found.fill_null(aware.dt.replace_time_zone(None))
    return found


def _from_dates(column: pl.Series, missing: np.ndarray, bad: np.ndarray, note: str) -> Moments:
    exact = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    return Moments(exact, MICRO, missing, bad, note)


def _dates_or_numbers(whole: pl.Series, missing: np.ndarray, bad: np.ndarray) -> Moments:
    """Integers: unix times, unless every one of them is a calendar date written as 20240531."""
    good = whole.filter(pl.Series(~(missing | bad)))
    if len(good) and good.is_between(19000101, 21001231).all():
        days = whole.cast(pl.String).str.to_datetime("%Y%m%d", strict=False, time_unit="us")
        if not (days.is_null().to_numpy() & ~missing & ~bad).any():
            return _from_dates(days, missing, bad, "times are read as calendar dates of the form 20240531")
    return _from_numbers(whole, missing, bad)


def _from_numbers(column: pl.Series, missing: np.ndarray, bad: np.ndarray) -> Moments:
    unusable = missing | bad
    if not column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        bad = bad | (whole.is_null().to_numpy() & ~missing)  # an unsigned or wider number beyond int64
        exact = whole.fill_null(0).to_numpy()
        per_second, unit = _unit(exact[~(unusable | bad)])
        return Moments(exact, per_second, missing, bad, _unit_note(unit))
    floats = np.where(unusable, 0.0, column.fill_null(0.0).to_numpy())
    bad = bad | ~np.isfinite(floats)
    floats = np.where(bad, 0.0, floats)
    per_second, unit = _unit(floats[~(missing | bad)])
    # Fractions of a second order events, so they are kept, as far as a float knows them.
    fractions = bool((floats != np.floor(floats)).any())
    scale = MICRO // per_second if fractions and per_second < MICRO else 1
    wide = np.abs(floats) * scale >= 2.0**63
    exact = np.floor(np.where(wide, 0.0, floats) * scale).astype(np.int64)
    return Moments(exact, per_second * scale, missing, bad | (wide & ~missing), _unit_note(unit))


def _unit(numbers: np.ndarray) -> tuple[int, str]:
    middle = float(np.median(np.abs(numbers.astype(np.float64)))) if len(numbers) else 0.0
    for limit, per_second, name in UNITS:
        if middle < limit:
            return per_second, name
    return 1_000_000_000, "nanoseconds"


def _unit_note(unit: str) -> str:
    return "" if unit == "seconds" else f"times are read as unix {unit}, by their size"
