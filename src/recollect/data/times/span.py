"""When events can have happened: from 1990 to the end of next year. What lies outside is asked about, never believed.

In this span unix seconds, milli-, micro- and nanoseconds do not overlap, so a number's size says its unit.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np

FIRST_YEAR = 1990
MICRO = 1_000_000
DAY = 86_400


class Unit(NamedTuple):
    """A unit of unix times; `form` is what `--time-format` calls it."""

    name: str
    per_second: int
    form: str


UNITS = (
    Unit("seconds", 1, "unix"),
    Unit("milliseconds", 1_000, "unix-ms"),
    Unit("microseconds", MICRO, "unix-us"),
    Unit("nanoseconds", 1_000_000_000, "unix-ns"),
)
# Unix seconds stay below 1e11 until the year 5138, and milliseconds stay above it from 1973 on; and so forth.
LIMITS = np.array([1e11, 1e14, 1e17])


def this_year() -> int:
    """The year by this machine's clock."""
    return dt.datetime.now(dt.UTC).year


def last_year() -> int:
    """The last year that is believed: next year, for clocks that are ahead and orders that are dated ahead."""
    return this_year() + 1


def bounds() -> tuple[int, int]:
    """The span in unix seconds: its first second, and the first one after it."""
    first, last = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (FIRST_YEAR, last_year() + 1))
    return int(first.timestamp()), int(last.timestamp())


def inside(numbers: np.ndarray, per_second: int = 1) -> np.ndarray:
    """[n] bool: whether each number of `1 / per_second` since 1970 lies in the span."""
    first, last = bounds()
    found: np.ndarray = (numbers >= first * per_second) & (numbers < last * per_second)
    return found


def doubt(seconds: int) -> str | None:
    """Why a moment is not believed, as `1970-01-01 00:00:00, outside 1990 to 2027`; None where it is.

    Whoever takes events in asks this, so that a log made of them is read without a question.
    """
    first, last = bounds()
    return None if first <= seconds < last else f"{date_of(seconds)}, outside {in_words()}"


def in_words() -> str:
    """The span as a person writes it."""
    return f"{FIRST_YEAR} to {last_year()}"


def date_of(seconds: float) -> str:
    """A moment for people, whatever its year, as `1970-01-01 00:00:00`; numpy cannot count to all of them."""
    if not abs(seconds) < 1e17:
        return "no date at all"
    return str(np.datetime64(int(seconds // 1), "s")).replace("T", " ")
