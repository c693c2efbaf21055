"""A date and a time of day in two columns, against Python's datetime."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import DataError
from recollect.data.times.column import read_moments

MOMENTS = st.lists(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2024, 12, 31)), min_size=1, max_size=9)
DAYS: dict[str, Callable[[dt.datetime], object]] = {
    "text": lambda m: f"{m:%Y-%m-%d}",
    "number": lambda m: int(f"{m:%Y%m%d}"),
    "date": lambda m: m.date(),
    "midnight": lambda m: dt.datetime(m.year, m.month, m.day),
    "name": lambda m: f"{m.day} {m:%B} {m.year}",
}
CLOCKS: dict[str, tuple[Callable[[dt.datetime], object], str]] = {
    "19:30:05": (lambda m: f"{m:%H:%M:%S}", "second"),
    "19:30": (lambda m: f"{m:%H:%M}", "minute"),
    "7:30 PM": (lambda m: f"{m:%I:%M %p}", "minute"),
    "19:30:05.123456": (lambda m: f"{m:%H:%M:%S.%f}", "microsecond"),
    "time": (lambda m: m.time(), "microsecond"),
    "some other day": (lambda m: dt.datetime.combine(dt.date(1900, 1, 1), m.time()), "microsecond"),
}
RESET = {"second": {"microsecond": 0}, "minute": {"second": 0, "microsecond": 0}, "microsecond": {}}


def _joined(days: list[object], clocks: list[object], form: str | None = None) -> list[dt.datetime]:
    read = read_moments(pl.DataFrame({"date": days, "at": clocks}), form)
    assert not list(read.problems()) and read.usable.all() and read.per_second == 10**6
    return [dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(count)) for count in read.exact]


@given(MOMENTS, st.sampled_from(sorted(DAYS)), st.sampled_from(sorted(CLOCKS)))
def test_two_columns_make_a_moment(moments: list[dt.datetime], day: str, clock: str) -> None:
    write, part = CLOCKS[clock]
    wanted = [m.replace(**RESET[part]) for m in moments]  # type: ignore[arg-type]
    assert _joined([DAYS[day](m) for m in moments], [write(m) for m in moments]) == wanted


@given(MOMENTS, st.booleans(), st.booleans())
def test_numbers_are_hours_and_minutes(moments: list[dt.datetime], text: bool, seconds: bool) -> None:
    """KuaiRand: date 20220408 beside hourmin 1930; 5 is five past midnight."""
    moments = [*moments, dt.datetime(2022, 4, 8, 0, 5), dt.datetime(2022, 4, 8, 19, 30)]
    clocks = [int(m.strftime("%H%M%S" if seconds else "%H%M")) for m in moments]
    wanted = [m.replace(microsecond=0, **({} if seconds else {"second": 0})) for m in moments]  # type: ignore[arg-type]
    assert _joined([int(f"{m:%Y%m%d}") for m in moments], [str(c) if text else c for c in clocks]) == wanted


def test_small_numbers_are_hours_unless_the_column_says_minutes() -> None:
    for name, wanted in (("hour", [(8, 0), (23, 0)]), ("hourmin", [(0, 8), (0, 23)]), ("HHMM", [(0, 8), (0, 23)])):
        read = read_moments(pl.DataFrame({"date": ["2024-05-31"] * 2, name: [8, 23]}))
        start = int(dt.datetime(2024, 5, 31, tzinfo=dt.UTC).timestamp())
        assert [(s // 3600, s % 3600 // 60) for s in (read.exact // 10**6 - start).tolist()] == wanted
        assert name in read.notes[-1].text


@pytest.mark.parametrize("clock", [2560, 1275, -5, 12.5, 240_000, "25:00", "noon", "7:61", True])
def test_what_is_no_time_of_day_is_bad(clock: object) -> None:
    other = "12:00" if isinstance(clock, str) else clock
    read = read_moments(pl.DataFrame({"date": ["2024-05-31"] * 2, "at": [other, clock]}))
    assert read.bad[1] and not read.missing.any()


def test_a_day_or_a_time_of_day_that_is_missing_is_a_missing_time() -> None:
    read = read_moments(pl.DataFrame({"date": ["2024-05-31", None, "-"], "at": ["NA", "12:00", "25:00"]}))
    assert read.missing.all() and not read.bad.any()


def test_a_pattern_is_of_both_columns() -> None:
    assert _joined(["31.05.24"], ["19h30"], "%d.%m.%y %Hh%M") == [dt.datetime(2024, 5, 31, 19, 30)]
    assert _joined(["05.06.2024"], ["19:30"], "month-first") == [dt.datetime(2024, 5, 6, 19, 30)]


def test_days_from_some_start_have_times_of_day_too() -> None:
    read = read_moments(pl.DataFrame({"day": [1, 711], "trans_time": [1930, 5]}))
    assert (read.exact // 10**6).tolist() == [86_400 + 19 * 3600 + 1800, 711 * 86_400 + 300] and read.elapsed


def test_a_time_of_day_alone_is_no_time() -> None:
    refusal = read_moments(pl.DataFrame({"time": ["19:30", "7:05", None]})).refusal
    assert refusal is not None and refusal.rows.tolist() == [True, True, False]
    assert refusal.why(0).text == "is a time of day without a date" and "--time date,time" in refusal.remedy


def test_what_is_asked_about_a_date_is_asked_in_two_columns_too() -> None:
    refusal = read_moments(pl.DataFrame({"date": ["05/06/2024"], "at": ["19:30"]})).refusal
    assert refusal is not None and refusal.reason == "unclear date"
    refusal = read_moments(pl.DataFrame({"date": ["2024-06-05 12:00"], "at": ["19:30"]})).refusal
    assert refusal is not None and "date has to hold days" in refusal.why(0).text
    with pytest.raises(DataError, match="a time of 7 columns"):
        read_moments(pl.DataFrame({f"part {k}": [2024] for k in range(7)}))


def test_a_moment_and_its_zone_may_be_in_two_columns() -> None:
    """An access log that is cut at blanks has them so."""
    for day, zone in (("[31/May/2024:17:00:00", "-0700]"), ("2024-05-31 17:00", "-07:00"), ("31 May 2024 17", "-0700")):
        assert _joined([day] * 2, [zone] * 2) == [dt.datetime(2024, 6, 1)] * 2
