"""Numbers that are hardly seconds from some start: times of day, days of a year, and what Windows and .NET count.

Each could be read, and would then be in a wrong order or a wrong year; so it is asked about. Sources: .NET's
`DateTime.Ticks` (100 ns since the year 1) and Windows' FILETIME (100 ns since 1601).
"""

from __future__ import annotations

import numpy as np

from recollect.data.times import span
from recollect.data.times.moments import Problem, Remark

OR_ELSE = "or seconds from some start"
EVIDENCE = 5
"""How many different numbers must be days of years."""
CLOCK_EVIDENCE = 20
"""How many different numbers must be times of day."""
TENTH_OF_MICRO = 10_000_000
STARTS = (("since the year 1, as .NET does", -62_135_596_800), ("since 1601, as Windows does", -11_644_473_600))


def counted_by_windows(values: np.ndarray, usable: np.ndarray, low: int, high: int) -> Problem | None:
    """Numbers that are all 100 ns since one of the `STARTS`: as nanoseconds they would be of 1990, or of 1974."""
    first, last = span.bounds()
    for since, start in STARTS:
        if (first - start) * TENTH_OF_MICRO <= low and high < (last - start) * TENTH_OF_MICRO:

            def why(row: int, since: str = since, start: int = start) -> Remark:
                return Remark(
                    f"may be {span.date_of(values[row] // TENTH_OF_MICRO + start)}, as a count of 100 ns {since}"
                )

            seconds = f"write unix seconds, the number / {TENTH_OF_MICRO:,} - {-start:,}"
            remedy = f"{seconds}, or say --time-format unix-ns if it is one"
            return Problem("unclear time", usable, why, remedy, whole=True)
    return None


def day_of_year(values: np.ndarray, usable: np.ndarray) -> Problem | None:
    """Numbers that are all a year and a day in it: 2024152."""
    if values.dtype == np.float64:
        return None
    different = np.unique(values[usable])
    years, days = different // 1000, different % 1000
    if len(different) < EVIDENCE or not ((years >= span.FIRST_YEAR) & (years <= span.last_year())).all():
        return None
    if not ((days > 0) & (days <= 366)).all():
        return None
    why = Remark(f"may be a year and a day in it, {OR_ELSE}")
    return Problem("unclear time", usable, lambda row: why, "say --time-format %Y%j or --time-format unix", whole=True)


def of_day(values: np.ndarray, usable: np.ndarray) -> Problem | None:
    """Numbers that are all times of day, without a day: 1930 or 193000."""
    if values.dtype == np.float64:
        return None
    different = np.unique(values[usable])
    if len(different) < CLOCK_EVIDENCE or different[0] < 0 or (different % 100 > 59).any():
        return None
    most = int(different[-1])
    minutes = 1000 <= most < 2400
    if not minutes and not (100_000 <= most < 240_000 and (different // 100 % 100 < 60).all()):
        return None
    why = Remark(f"may be a time of day, {'1930' if minutes else '193000'} for 19:30, {OR_ELSE}")
    remedy = "give the column of its date too, as --time date,time, or say --time-format unix"
    return Problem("unclear time", usable, lambda row: why, remedy, whole=True)
