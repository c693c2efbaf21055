"""Numbers that are hardly seconds from some start are asked about, and what was said of them is believed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.sources import read
from recollect.data.times.column import read_moments

MOMENTS = st.lists(st.datetimes(dt.datetime(1991, 1, 1), dt.datetime(2025, 12, 31)), min_size=1, max_size=9)


def _asked(values: list[int], form: str | None = None) -> str:
    moments = read_moments(pl.DataFrame({"t": values}), form)
    return "; ".join(f"{problem.why(0).text}; {problem.remedy}" for problem in moments.problems() if problem.whole)


@given(MOMENTS, st.sampled_from([(1, "as .NET does"), (1601, "as Windows does")]))
def test_what_windows_counts_is_no_unix_time(moments: list[dt.datetime], kind: tuple[int, str]) -> None:
    year, whose = kind
    start = dt.datetime(year, 1, 1)
    ticks = [(one - start) // dt.timedelta(microseconds=1) * 10 for one in moments]
    asked = _asked(ticks)
    assert whose in asked and f"may be {moments[0]:%Y-%m-%d %H:%M:%S}" in asked
    divided, less = (int(part.replace(",", "")) for part in asked.split("number / ")[1].split(", or ")[0].split(" - "))
    assert ticks[0] // divided - less == moments[0].replace(tzinfo=dt.UTC).timestamp() // 1
    assert not _asked(ticks, "unix-ns")


@given(st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2025, 12, 31)), min_size=5, max_size=30, unique=True))
def test_days_of_years_are_asked_about_and_read_if_said(days: list[dt.date]) -> None:
    values = [int(f"{day:%Y%j}") for day in days]
    assert "say --time-format %Y%j" in _asked(values)
    read_so = read_moments(pl.DataFrame({"t": values}), "%Y%j")
    assert pl.from_epoch(pl.Series(read_so.seconds(read_so.exact))).dt.date().to_list() == days


@given(st.lists(st.times(), min_size=40, max_size=80), st.sampled_from(["%H%M", "%H%M%S"]))
def test_times_of_day_are_asked_about(times: list[dt.time], form: str) -> None:
    values = [int(f"{one:{form}}") for one in (*times, dt.time(23, 59), dt.time(12, 30))]
    enough = len(set(values)) >= 20
    assert ("give the column of its date too" in _asked(values)) == enough
    assert not _asked(values, "unix")


def test_seconds_from_some_start_are_not_asked_about() -> None:
    for values in (
        list(range(0, 2400, 7)),
        list(range(0, 240_000, 61)),
        list(range(1_990_000, 2_030_000, 50)),
        [0, 59],
    ):
        assert not _asked(values) and read_moments(pl.DataFrame({"t": values})).elapsed


def test_a_few_months_are_months() -> None:
    assert "--time-format %Y%m" in _asked([202405, 202406, 202405])
    assert not _asked([202405, 202413]) and not _asked([202405, 202405])


@pytest.mark.parametrize("form", ["%H%M", "%H%M%S"])
def test_a_time_of_day_beside_its_date_is_still_found(tmp_path: Path, form: str) -> None:
    start = dt.datetime(2024, 5, 1, 0, 7, 11)
    moments = [start + dt.timedelta(hours=7 * k, minutes=3 * k) for k in range(60)]
    rows = "".join(f"1,{k},{one:%Y-%m-%d},{int(f'{one:{form}}')}\n" for k, one in enumerate(moments))
    (tmp_path / "log.csv").write_text("user,item,date,time\n" + rows)
    log = read(tmp_path / "log.csv")
    seconds = [int(one.replace(tzinfo=dt.UTC).timestamp()) for one in moments]
    assert log.times.tolist() == [one - one % 60 if form == "%H%M" else one for one in seconds]
