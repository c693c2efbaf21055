"""What was made of a column of times: exact integer moments, and every row that is missing, nonsense or doubtful.

A value only; `column` makes it. Rows are numbered as in the column: whoever knows the file can name their lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from recollect.data.times import span
from recollect.data.times.other_order import Orders

EXPECTED = "expected unix times, dates such as 2024-05-31 12:30:00, or --time-format to say the form (`%d.%m.%Y`)"
DATES = "dates"
"""The `--time-format` that takes dates in whatever form the column has them, also those that can hardly be."""
ROW = "{row}"
"""Stands in a text for the place of the row that the text is about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about a column; `{row}` in it is the place of `row`."""

    text: str
    row: int | None = None

    def placed(self, place: Callable[[int], str]) -> str:
        """The sentence with the row's place in it."""
        return self.text if self.row is None else self.text.replace(ROW, place(self.row))


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Rows that cannot be used as they are. `why(row)` goes on from "'value' in column 'time' ..."."""

    reason: str
    """What the summary calls such rows where they are left out."""
    rows: np.ndarray
    """[n] bool."""
    why: Callable[[int], Remark]
    remedy: str
    whole: bool = False
    """The column as a whole is in question: leaving the rows out would not help."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moments:
    """`exact` [n] int64 counts of `1 / per_second` since 1970, 0 where there is none.

    `missing` [n] bool: nothing is there. `bad` [n] bool: no time. `doubtful` [n] bool: a time outside the span in which
    events happen.
    """

    exact: np.ndarray
    per_second: int
    missing: np.ndarray
    bad: np.ndarray
    doubtful: np.ndarray
    notes: tuple[Remark, ...] = ()
    refusal: Problem | None = None
    as_it_is: str = DATES
    """The `--time-format` that takes every row as it is."""
    elapsed: bool = False
    """The numbers are no dates: they count from some start."""
    order: str | None = None
    """Of day and month, where dates could be read in several: what the column decided, or what was said."""
    local: np.ndarray | bool = False
    """[n] bool, or one for all: dates without an offset, which a time zone turns into moments."""
    foreign: np.ndarray | None = None
    """[n] bool: those of the bad rows that hold a date of another form than the column's; None if there are none."""
    others: str = ""
    """A date as the column has them, where there are `foreign` ones."""
    orders: Orders | None = None
    """The dates in all orders, where there are several and one could be taken."""
    opposed: np.ndarray | None = None
    """[n] bool: dates that are to be read in another order than the one taken; None if there are none."""
    opposing: str = ""
    """That other order."""

    def by_file(self, starts: np.ndarray) -> Moments:
        """The same, once it is known where files begin: `starts` [files + 1] as of `Orders.opposed`."""
        if self.orders is None:
            return self
        opposed, other = self.orders.opposed(starts)
        return dataclasses.replace(self, opposed=opposed, opposing=other) if other else self

    @property
    def usable(self) -> np.ndarray:
        """[n] bool: rows with a time that can be believed."""
        return ~(self.missing | self.bad | self.doubtful)

    def seconds(self, exact: np.ndarray) -> np.ndarray:
        """Whole seconds, rounded down; this keeps the order of the exact moments."""
        return exact // self.per_second

    def problems(self) -> Iterator[Problem]:
        """What has to be answered before the moments are used, the gravest first."""
        if self.refusal is not None:
            yield self.refusal
        if self.opposed is not None and self.orders is not None:
            remedy = "write all in one form, or leave such rows out with --on-bad skip"
            yield Problem("date in another order", self.opposed, self._order_of, remedy)
        opposed = nothing(len(self.bad)) if self.opposed is None else self.opposed
        foreign = nothing(len(self.bad)) if self.foreign is None else self.foreign & ~opposed
        wrong = self.bad & ~foreign & ~opposed
        if wrong.any():
            remedy = f"{EXPECTED}; correct it, or leave such rows out with --on-bad skip"
            yield Problem("not a time", wrong, lambda row: Remark("is no time"), remedy)
        if foreign.any():
            why = Remark(f"is a date of another form than the column's others, such as {self.others!r}")
            remedy = "write all in one form, or leave such rows out with --on-bad skip"
            yield Problem("a date of another form", foreign, lambda row: why, remedy)
        if self.doubtful.any():
            yield Problem(
                f"time outside {span.in_words()}",
                self.doubtful,
                self._doubt,
                "correct it, leave such rows out with --on-bad skip, "
                f"or take them as they are with --time-format {self.as_it_is}",
            )

    def _order_of(self, row: int) -> Remark:
        assert self.orders is not None
        taken = f"where dates are read {self.orders.chosen}"
        if self.bad[row]:
            return Remark(f"can only be {self.opposing}, {taken}")
        return Remark(f"stands in a file whose dates can only be {self.opposing}, {taken}")

    def _doubt(self, row: int) -> Remark:
        others = "where the others are" if self.usable.any() else "and so is every other"
        meant = (
            "is" if self.as_it_is == DATES else f"would be {span.date_of(float(self.exact[row]) / self.per_second)},"
        )
        return Remark(f"{meant} outside {span.in_words()}, {others}")


def nothing(rows: int) -> np.ndarray:
    """[rows] bool, all False."""
    return np.zeros(rows, bool)
