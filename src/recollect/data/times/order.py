"""Day first or month first: 12/05/2011 does not say. The column decides if it can; if not, it is asked about.

A date with a part above 12 says which part the day is; one such date decides for all. Two that disagree decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from recollect.data.times import span
from recollect.data.times.moments import ROW, Problem, Remark

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day-first", "month-first", "year-first"
ORDERS = (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)


def decide(read: Mapping[str, pl.Series], text: pl.Series) -> tuple[str, Problem | None]:
    """-> the order of a column's dates, and what is wrong with taking it (None if nothing).

    `read`: order -> the column read so, datetimes, null where a date is none in this order. `text`: as it was written.
    """
    some = np.logical_or.reduce([column.is_not_null().to_numpy() for column in read.values()])
    fitting = {
        order: column for order, column in read.items() if not (some & column.is_null().to_numpy()).any()
    }  # every date that is one in any order is one in this
    if len(fitting) > 1:  # two digits of a year may be a day as well; the years then tell
        believed = {order: column for order, column in fitting.items() if _believed(column)}
        fitting = believed or fitting
    first, *others = fitting or read
    if fitting and not others:
        return first, None
    if fitting:
        apart = np.logical_or.reduce([(read[first] != read[other]).fill_null(False).to_numpy() for other in others])
        return first, _ambiguous(fitting, apart) if apart.any() else None
    return first, _contradiction(read, text)


def _believed(column: pl.Series) -> bool:
    return bool(span.inside(column.drop_nulls().to_physical().to_numpy(), span.MICRO).all())


def _ambiguous(fitting: Mapping[str, pl.Series], apart: np.ndarray) -> Problem:
    def why(row: int) -> Remark:
        readings = " or ".join(f"{column[row]:%Y-%m-%d} ({order})" for order, column in fitting.items())
        return Remark(f"may be {readings}, and no row of the column decides it")

    said = " or ".join(f"--time-format {order}" for order in fitting)
    return Problem("unclear date", apart, why, f"say {said}", whole=True)


def _contradiction(read: Mapping[str, pl.Series], text: pl.Series) -> Problem:
    """No order fits all dates: a row that the commonest order cannot read, and one that speaks for that order."""
    valid = {order: column.is_not_null().to_numpy() for order, column in read.items()}
    best = max(valid, key=lambda order: int(valid[order].sum()))
    against = np.logical_or.reduce([found for order, found in valid.items() if order != best]) & ~valid[best]
    other = next(order for order, found in valid.items() if order != best and (found & against).any())
    witnesses = valid[best] & ~valid[other]
    witness = int(witnesses.argmax())

    def why(row: int) -> Remark:
        return Remark(f"can only be {other}, but {text[witness]!r} ({ROW}) can only be {best}", witness)

    remedy = f"correct one, or say --time-format {best} and leave such rows out with --on-bad skip"
    return Problem("date in another order", against, why, remedy, whole=True)
