"""A column of times, whatever it holds, to exact integer moments: unix numbers, dates, or text of either.

What the form is, is decided by the column, unless `Reading.time_format` says it. Whatever is doubtful is not decided
here but handed on, with its rows and reasons.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import polars as pl

from recollect.data.missing import MISSING_WORDS
from recollect.data.times import clock, dates, numbers, order, parts, rounded, span
from recollect.data.times.forms import form_of
from recollect.data.times.moments import DATES, Moments, Problem, Remark, nothing
from recollect.data.times.pattern import check_form, is_pattern, read_pattern
from recollect.data.times.zone import in_zone

ZERO_DATE = r"^0000[-/]00[-/]00(?:[T ]00:00(?::00(?:\.0+)?)?)?Z?$"
"""MySQL's way of saying nothing."""
WORDS = (*numbers.FORMS, numbers.EXCEL, DATES, *order.ORDERS)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def read_moments(columns: pl.DataFrame, form: str | None = None, zone: str | None = None) -> Moments:
    """Moments of one column, of a date and a time of day in two, or of a year, a month and so on in up to six.

    `form`: how they are written, as `Reading.time_format` says; None lets the column decide. DataError if `form` is no
    form, or does not fit so many columns. `zone`: that of times without an offset; None: UTC.
    """
    check_form(form, WORDS)
    return in_zone(_in_utc(columns, form), zone)


def _in_utc(columns: pl.DataFrame, form: str | None) -> Moments:
    """Moments where local times are taken as UTC."""
    if columns.width == 1:
        return _read(columns.to_series(), form)
    missing = np.logical_or.reduce([_missing(column) for column in columns])
    if is_pattern(form):
        texts = [column.cast(pl.String).str.strip_chars() for column in columns]
        return read_pattern(pl.select(pl.concat_str(texts, separator=" ")).to_series(), missing, form)
    if columns.width > 2 or parts.are_parts(columns.columns):
        return parts.read_parts(columns, missing, form)
    day, time = columns.get_columns()
    return _day_and_clock(day, time, form)


def _read(column: pl.Series, form: str | None) -> Moments:
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    missing = _missing(column)
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        said = form not in (None, *order.ORDERS)
        local = kind == pl.Date or getattr(kind, "time_zone", None) is None
        moments = column.cast(pl.Datetime("us"))
        return dates.from_datetimes(moments, missing, nothing(len(column)), as_it_is=said, local=local)
    if kind.is_numeric():
        if is_pattern(form):
            return read_pattern(column.cast(pl.String).str.replace(r"\.0$", ""), missing, form)
        return rounded.refuse(_from_numbers(column, missing, nothing(len(column)), form), column, form)
    if kind == pl.String:
        return _from_text(column, missing, form)
    if isinstance(kind, pl.Duration):
        exact = column.dt.total_microseconds().fill_null(0).to_numpy()
        note = Remark(f"{column.name} holds spans of time: taken as counted from some start, not as dates")
        return Moments(exact, span.MICRO, missing, nothing(len(column)), nothing(len(column)), (note,), elapsed=True)
    return Moments(np.zeros(len(column), np.int64), 1, missing, ~missing, nothing(len(column)))


def _missing(column: pl.Series) -> np.ndarray:
    absent = column.is_null()
    if column.dtype.is_float():
        absent = absent | column.is_nan().fill_null(True)
    elif column.dtype == pl.String:
        if column.cast(pl.Int64, strict=False).null_count() == 0:  # the common case: nothing but integers
            return nothing(len(column))
        text = column.str.strip_chars().str.to_lowercase()
        absent = absent | text.is_in(MISSING_WORDS).fill_null(True)
        if column.str.starts_with("0000").any():
            absent = absent | text.str.contains(ZERO_DATE).fill_null(False)
    return absent.to_numpy().copy()


def _from_text(column: pl.Series, missing: np.ndarray, form: str | None) -> Moments:
    if is_pattern(form):
        return read_pattern(column.str.strip_chars(), missing, form)
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() == 0:
        return _from_numbers(whole, missing, nothing(len(column)), form)
    text = column.str.strip_chars()
    if form == DATES or (form in (None, *order.ORDERS) and not _mostly_numbers(text, missing)):
        said = None if form == DATES else form
        return dates.read_dates(text, missing, said, as_it_is=form == DATES)
    whole, number = text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False)
    numeric = number.is_finite().fill_null(False).to_numpy() & ~missing
    if whole.null_count() == len(text) and not numeric.any() and not missing.all() and clock.are_clocks(text):
        return _refused(missing, "is a time of day without a date", "give both columns, as --time date,time")
    integers = bool((whole.is_not_null().to_numpy() | ~numeric).all())
    found = _from_numbers(whole if integers else number, missing, ~numeric & ~missing, form)
    return found if integers else rounded.refuse(found, text, form)


def _refused(missing: np.ndarray, why: str, remedy: str) -> Moments:
    """A column that cannot be read as a whole."""
    rows = len(missing)
    problem = Problem("unclear time", ~missing, lambda row: Remark(why), remedy, whole=True)
    return Moments(np.zeros(rows, np.int64), 1, missing, nothing(rows), nothing(rows), refusal=problem)


def _mostly_numbers(text: pl.Series, missing: np.ndarray) -> bool:
    """Whether numbers explain as much of a column as dates do, by some of it."""
    some = dates.some_of(text.filter(pl.Series(~missing)) if missing.any() else text)
    return sum(bool(NUMBER.fullmatch(one)) for one in some) >= sum(form_of(one) is not None for one in some)


def _from_numbers(column: pl.Series, missing: np.ndarray, bad: np.ndarray, form: str | None) -> Moments:
    if form == numbers.EXCEL:
        return numbers.read_spreadsheet_days(column, missing, bad)
    if form in numbers.FORMS:
        return numbers.read_unix(column, missing, bad, numbers.FORMS[form])
    return numbers.read_numbers(column, missing, bad, form if form in order.ORDERS else None)


def _day_and_clock(day: pl.Series, time: pl.Series, form: str | None) -> Moments:
    if day.dtype == pl.String and clock.are_zones(time):
        return _read(day + " " + time, form)
    days, clocks = _read(day, form), clock.read_clock(time, _missing(time))
    if days.elapsed and not (days.exact % days.per_second).any():
        note = Remark(f"{day.name} is taken as a number of days from some start")
        days = dataclasses.replace(days, exact=days.exact * span.DAY, notes=(note,))
    elif not clock.whole_days(days):
        why = Remark(f"is no day and time of day: {day.name} has to hold days, without a time")
        remedy = f"give {day.name} alone, or a date and then its time of day"
        problem = Problem("not a date", days.usable, lambda row: why, remedy, whole=True)
        return dataclasses.replace(days, refusal=problem)
    return clock.join(days, clocks)
