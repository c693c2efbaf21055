"""Dates written as one number: 20240531, 31122024, 20240531123000. As unix times they would be years that never were.

Such numbers are rare among all numbers of their length, so a column in which most are dates is a column of dates.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl

from recollect.data.times import span
from recollect.data.times.moments import Moments, Problem, Remark, nothing
from recollect.data.times.order import DAY_FIRST, MONTH_FIRST, decide
from recollect.data.times.span import MICRO

# How many digits: the form with the year first, and those with the year behind day and month.
FORMS: dict[int, tuple[str, dict[str, str]]] = {
    8: ("%Y%m%d", {DAY_FIRST: "%d%m%Y", MONTH_FIRST: "%m%d%Y"}),
    10: ("%Y%m%d%H", {}),
    12: ("%Y%m%d%H%M", {DAY_FIRST: "%d%m%Y%H%M", MONTH_FIRST: "%m%d%Y%H%M"}),
    14: ("%Y%m%d%H%M%S", {DAY_FIRST: "%d%m%Y%H%M%S", MONTH_FIRST: "%m%d%Y%H%M%S"}),
    17: ("%Y%m%d%H%M%S%3f", {}),
}
SAMPLE = 500
MONTHS = "%Y%m"
SHORT = ("%y%m%d", "%d%m%y", "%m%d%y", MONTHS)
SHORT_EVIDENCE = 5
"""How many different numbers of six digits have to be dates, all of them, before they are asked about."""


def read_digits(
    values: np.ndarray, usable: np.ndarray, missing: np.ndarray, bad: np.ndarray, order: str | None = None
) -> Moments | None:
    """Moments of a column of which most numbers are dates of one form, the rest bad; None if it is none.

    `values` [n] int64. `order`: of day and month, if it is said.
    """
    good = values[usable]
    middle = int(np.median(good))
    width = len(str(middle)) + (len(str(middle)) % 2 if middle < 10**14 else 0)  # a leading zero may be lost
    if middle <= 0 or (width not in FORMS and width != 6):
        return None
    if len(good) > 2 * SAMPLE:  # most long columns of numbers are none of dates: a look at some of them says so
        some = good[:: len(good) // SAMPLE]
        if read_digits(some, ~nothing(len(some)), nothing(len(some)), nothing(len(some)), order) is None:
            return None
    text = pl.Series(good).cast(pl.String).str.zfill(width)
    if width == 6:
        unclear = _short(text, usable)
        if unclear is None:
            return None
        return Moments(np.zeros(len(values), np.int64), 1, missing, bad, nothing(len(values)), refusal=unclear)
    first, behind = FORMS[width]
    found = parse(text, first)
    years = found.dt.year()
    if width == 8 and years.is_between(1900, 2100).all() and not found.null_count():
        return _placed(found, first, usable, missing, bad)
    found = _believed(found)
    if 2 * found.count() > len(good):
        return _placed(found, first, usable, missing, bad)
    read = {name: _believed(parse(text, form)) for name, form in behind.items() if order in (None, name)}
    if not read or 2 * max(column.count() for column in read.values()) <= len(good):
        return None
    chosen, problem = decide(read, text)
    made = _placed(read[chosen], behind[chosen], usable, missing, bad, problem)
    return dataclasses.replace(made, order=chosen)


def parse(text: pl.Series, form: str) -> pl.Series:
    """Datetimes of text that is nothing but digits, null where it is no date of this form."""
    if form.endswith("%H"):  # Polars wants minutes with its hours
        text, form = text + "00", form + "%M"
    return text.str.to_datetime(form, strict=False, time_unit="us")


def _believed(found: pl.Series) -> pl.Series:
    out = ~found.dt.year().is_between(span.FIRST_YEAR, span.last_year()).fill_null(False)
    return found.set(out, None)


def _placed(
    found: pl.Series,
    form: str,
    usable: np.ndarray,
    missing: np.ndarray,
    bad: np.ndarray,
    problem: Problem | None = None,
) -> Moments:
    """From the good rows back to all rows."""
    exact = np.zeros(len(usable), np.int64)
    exact[usable] = found.to_physical().fill_null(0).to_numpy()
    bad = bad.copy()
    bad[usable] |= found.is_null().to_numpy()
    example = dt.datetime(2024, 5, 31, 12, 30).strftime(form.replace("%3f", "000"))
    note = Remark(f"times are read as calendar dates of the form {example}")
    if problem is not None:
        within, places = problem, np.flatnonzero(usable)
        rows = np.zeros(len(usable), bool)
        rows[places] = within.rows

        def why(row: int) -> Remark:
            said = within.why(int(np.searchsorted(places, row)))
            return said if said.row is None else Remark(said.text, int(places[said.row]))

        problem = Problem(within.reason, rows, why, within.remedy, within.whole)
    return Moments(exact, MICRO, missing, bad, nothing(len(usable)), (note,), problem, local=True)


def _short(text: pl.Series, usable: np.ndarray) -> Problem | None:
    """Six digits that are dates without exception, in one form or more: too few digits to be sure."""
    different = text.n_unique()
    if different < 2:
        return None
    forms = SHORT if different >= SHORT_EVIDENCE else (MONTHS,)  # a log of one year has few months
    fitting = [form for form in forms if _is_all(text, form)]
    if not fitting:
        return None
    said = " or ".join(f"--time-format {form}" for form in (*fitting, "unix"))
    return Problem(
        "unclear time",
        usable,
        lambda row: Remark("may be a date in six digits, as all others may be, or seconds from some start"),
        f"say {said}",
        whole=True,
    )


def _is_all(text: pl.Series, form: str) -> bool:
    months = form == MONTHS
    found = parse(text + "01", "%Y%m%d") if months else parse(text, form)
    return not found.null_count() and bool(found.dt.year().is_between(span.FIRST_YEAR, span.last_year()).all())
