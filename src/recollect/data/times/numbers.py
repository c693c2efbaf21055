"""Numbers as times: unix times of any unit, each row by its own size, or seconds from some start.

Numbers that are calendar dates (20240531) are `digits`' business; days as spreadsheets count them are asked about.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from recollect.data.times import digits, span
from recollect.data.times.moments import ROW, Moments, Problem, Remark, nothing
from recollect.data.times.span import DAY, LIMITS, MICRO, UNITS, Unit
from recollect.data.times.unlikely import OR_ELSE, counted_by_windows, day_of_year, of_day

EXCEL = "excel"
EXCEL_START = 25_569
"""1970-01-01 as spreadsheets count days, which they do from 1899-12-30 on."""
FORMS = {"unix-s": UNITS[0], **{unit.form: unit for unit in UNITS}}


def read_numbers(column: pl.Series, missing: np.ndarray, bad: np.ndarray, order: str | None = None) -> Moments:
    """Moments of numbers. `missing` and `bad` rows hold none; `order` of day and month, if it is said."""
    values, bad = plain(column, missing, bad)
    usable = ~(missing | bad)
    good = values if usable.all() else values[usable]
    if not len(good):
        return Moments(np.zeros(len(column), np.int64), 1, missing, bad, nothing(len(column)))
    low, high = good.min(), good.max()
    if ticks := counted_by_windows(values, usable, int(low), int(high)):
        return Moments(np.zeros(len(values), np.int64), 1, missing, bad, nothing(len(values)), refusal=ticks)
    for unit in UNITS:  # the common case: one unit, and every row can be believed
        if span.inside(np.array([low, high]), unit.per_second).all() and not _of_digits(good, unit):
            return _counted(values, missing, bad, nothing(len(column)), np.full(1, unit.per_second))
    if values.dtype != np.float64:
        dates = digits.read_digits(values, usable, missing, bad, order)
        if dates is not None:
            return dates
    magnitude = np.abs(values.astype(np.float64))
    size = np.searchsorted(LIMITS, magnitude, side="right")
    per_second = np.array([unit.per_second for unit in UNITS])[size]
    believed = usable & span.inside(values / per_second)
    small = usable & (magnitude < span.bounds()[0])
    if believed.any():
        return _judged(values, missing, bad, usable & ~believed, believed, size)
    unclear = _years_or_days(values, usable)
    if unclear is not None:
        return Moments(np.zeros(len(values), np.int64), 1, missing, bad, nothing(len(values)), refusal=unclear)
    clock = of_day(values, usable)
    found = _counted(values, missing, bad, usable & ~small, np.where(small, 1, per_second))
    if small.sum() * 2 < usable.sum():
        return dataclasses.replace(found, as_it_is=_commonest(size[usable]).form)
    times = f"times run from {low:,} to {high:,}" if low < high else f"all times are {low:,}"
    note = Remark(f"{times}: taken as seconds from some start, not as dates")
    return dataclasses.replace(found, notes=(note,), elapsed=True, refusal=clock, as_it_is=UNITS[0].form)


def _of_digits(good: np.ndarray, unit: Unit) -> bool:
    """Whether numbers of the size of milliseconds are 01 31 2024 12 30 00 without the first zero; few others are so."""
    some = good[:: max(len(good) // 100, 1)]
    none = nothing(len(some))
    return (
        unit.per_second == 1000 and some.dtype != np.float64 and digits.read_digits(some, ~none, none, none) is not None
    )


def read_unix(column: pl.Series, missing: np.ndarray, bad: np.ndarray, unit: Unit) -> Moments:
    """Moments of numbers whose unit was said: taken as they are."""
    values, bad = plain(column, missing, bad)
    found = _counted(values, missing, bad, nothing(len(column)), np.full(1, unit.per_second))
    return dataclasses.replace(found, bad=found.bad | found.doubtful, doubtful=nothing(len(column)), notes=())


def read_spreadsheet_days(column: pl.Series, missing: np.ndarray, bad: np.ndarray) -> Moments:
    """Moments of days as spreadsheets count them, to the nearest millisecond: their fractions are rounded."""
    values, bad = plain(column, missing, bad)
    days = values.astype(np.float64)
    bad = bad | ((np.abs(days) > 3_000_000) & ~missing)  # the year 10113
    since = np.where(bad | missing, 0.0, days - EXCEL_START)
    exact = np.rint(since * DAY * 1000).astype(np.int64)
    return Moments(exact, 1000, missing, bad, nothing(len(column)), local=True)


def plain(column: pl.Series, missing: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-> [n] int64, or float64 if there are fractions, 0 where there is no number; and `bad` with what is too large."""
    if not column.dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        bad = bad | (whole.is_null().to_numpy() & ~missing)  # an unsigned or wider number beyond int64
        return whole.fill_null(0).to_numpy(), bad
    floats = np.where(missing | bad, 0.0, column.cast(pl.Float64).fill_null(0.0).to_numpy())
    bad = bad | ~(np.abs(floats) < 2.0**63)
    floats = np.where(bad, 0.0, floats)
    whole_numbers = np.floor(floats)
    return (whole_numbers.astype(np.int64) if (whole_numbers == floats).all() else floats), bad


def _counted(
    values: np.ndarray, missing: np.ndarray, bad: np.ndarray, doubtful: np.ndarray, per_second: np.ndarray
) -> Moments:
    """All rows in the finest of their units; `per_second` [n] or [1]. Rows that do not fit are 0 and doubtful."""
    finest = int(per_second.max() if len(per_second) == 1 else per_second[~(missing | bad)].max(initial=1))
    unit = next(unit for unit in UNITS if unit.per_second == finest)
    fractions = values.dtype == np.float64
    if fractions:  # they order events, so they are kept, as far as a float knows them
        finest = max(finest, MICRO)
    factor = finest // per_second
    if (factor == 1).all():
        exact = np.floor(values).astype(np.int64) if fractions else values
        return _in(unit, finest, exact, missing, bad, doubtful)
    wide = np.abs(values.astype(np.float64)) * factor >= 2.0**63
    exact = np.where(wide, 0, values) * factor
    exact = np.floor(exact).astype(np.int64) if fractions else exact
    return _in(unit, finest, exact, missing, bad, doubtful | (wide & ~missing & ~bad))


def _in(
    unit: Unit, per_second: int, exact: np.ndarray, missing: np.ndarray, bad: np.ndarray, doubtful: np.ndarray
) -> Moments:
    notes = () if unit.per_second == 1 else (Remark(f"times are read as unix {unit.name}, by their size"),)
    return Moments(exact, per_second, missing, bad, doubtful, notes, as_it_is=unit.form)


def _judged(
    values: np.ndarray,
    missing: np.ndarray,
    bad: np.ndarray,
    doubtful: np.ndarray,
    believed: np.ndarray,
    size: np.ndarray,
) -> Moments:
    """A column in which some rows are unix times of our days: each by its own size, and the rest in doubt."""
    per_second = np.array([unit.per_second for unit in UNITS])[size]
    found = _counted(values, missing, bad, doubtful, per_second)
    counts = np.bincount(size[believed], minlength=len(UNITS))
    common = _commonest(size[believed])
    kinds = np.flatnonzero(counts)
    notes: tuple[Remark, ...] = ()
    if len(kinds) > 1:
        rare = int(kinds[counts[kinds].argmin()])
        listed = " and ".join(f"{UNITS[k].name} ({counts[k]:,} rows)" for k in kinds)
        first = int((believed & (size == rare)).argmax())
        text = f"units are mixed: times in {listed}; each row is read by its own size"
        notes = (Remark(f"{text} ({UNITS[rare].name} first at {ROW})", first),)
    elif common.per_second > 1:
        notes = (Remark(f"times are read as unix {common.name}, by their size"),)
    return dataclasses.replace(found, notes=notes, as_it_is=common.form)


def _commonest(size: np.ndarray) -> Unit:
    return UNITS[int(np.bincount(size, minlength=len(UNITS)).argmax())]


def _years_or_days(values: np.ndarray, usable: np.ndarray) -> Problem | None:
    """Numbers that would all be years of our time, or a spreadsheet's days: they may as well be seconds."""
    good = values[usable]
    first, last = (second / DAY + EXCEL_START for second in span.bounds())
    if (good >= first).all() and (good < last).all():
        return Problem(
            "unclear time",
            usable,
            lambda row: Remark(
                f"may be {_spreadsheet_date(float(values[row]))} as a spreadsheet counts days, {OR_ELSE}"
            ),
            f"say --time-format {EXCEL} or --time-format unix",
            whole=True,
        )
    if values.dtype != np.float64 and (good >= span.FIRST_YEAR).all() and (good <= span.last_year()).all():
        why = Remark(f"may be a year, {OR_ELSE}")
        return Problem(
            "unclear time", usable, lambda row: why, "say --time-format %Y or --time-format unix", whole=True
        )
    return day_of_year(values, usable)


def _spreadsheet_date(days: float) -> str:
    return span.date_of(round((days - EXCEL_START) * DAY))
