"""Files whose dates have another order of day and month than those of the rest: 04.28.2011 among files of 28.04.2011.

The order is decided by the column as a whole, or said. A file in which it fails for some rows, and which no row speaks
for, is written otherwise as a whole: what of it could be read would be read wrongly (04.10.2011 as 4 October).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import numpy as np
import polars as pl

_NEAR, _FAR = 31, 62
"""A file that spans at most so many days in another order, and more than so many in the one that is taken, is named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Orders:
    """Dates in every order that they might have: `read[order]` are datetimes [n], null where a date is none in it."""

    chosen: str
    read: Mapping[str, pl.Series]

    def opposed(self, starts: np.ndarray) -> tuple[np.ndarray, str]:
        """-> [n] bool: dates that the order taken cannot read and another can, and all dates of a file that has such
        and none that only the order taken can read; and that other order ('' if there are none).

        `starts` [files + 1]: the rows of file k are `starts[k]:starts[k + 1]`.
        """
        rows, name = np.zeros(len(self.read[self.chosen]), bool), ""
        taken = self.read[self.chosen].is_not_null().to_numpy()
        for other, column in self._others():
            possible = column.is_not_null().to_numpy()
            against, witnesses = possible & ~taken, taken & ~possible
            if not against.any():
                continue
            name = name or other
            rows |= against
            for begin, end in _files(starts):
                if against[begin:end].any() and not witnesses[begin:end].any():
                    rows[begin:end] |= taken[begin:end]
        return rows, name

    def far_apart(self, starts: np.ndarray, place: Callable[[int], str]) -> str:
        """What to say of files that say nothing of their order, and would span weeks instead of months in another; ''
        if there are none. `place` says where a row stands."""
        if len(starts) < 3:
            return ""
        found = []
        taken = self.read[self.chosen]
        for other, column in self._others():
            for begin, end in _files(starts):
                here, there = taken[begin:end], column[begin:end]
                if here.null_count() == len(here) or not (here.is_null() == there.is_null()).all():
                    continue
                if _days(there) <= _NEAR and _days(here) > _FAR:
                    found.append((begin, other, here, there))
        if not found:
            return ""
        begin, other, here, there = found[0]
        more = f" ({len(found) - 1:,} more files are so)" if len(found) > 1 else ""
        return (
            f"the dates of the file of {place(begin)} are read {self.chosen}, {_span(here)}; read {other} they would "
            f"be {_span(there)}{more}: see whether it is written like the other files"
        )

    def _others(self) -> Iterator[tuple[str, pl.Series]]:
        return ((order, column) for order, column in self.read.items() if order != self.chosen)


def _files(starts: np.ndarray) -> Iterator[tuple[int, int]]:
    return ((begin, end) for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True) if begin < end)


def _days(column: pl.Series) -> float:
    first, last = _ends(column)
    return (last - first).total_seconds() / 86_400


def _span(column: pl.Series) -> str:
    return " to ".join(f"{one:%Y-%m-%d}" for one in _ends(column))


def _ends(column: pl.Series) -> tuple[dt.datetime, dt.datetime]:
    return cast(dt.datetime, column.min()), cast(dt.datetime, column.max())
