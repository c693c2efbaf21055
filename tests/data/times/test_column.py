"""Columns of every kind: against Python's own datetime, with fractions kept in order through whole seconds."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.times.column import read_moments as read_columns
from recollect.data.times.moments import Moments

MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))


def read_moments(column: pl.Series) -> Moments:
    return read_columns(column.to_frame())


def _seconds(column: pl.Series) -> list[int]:
    moments = read_moments(column)
    assert not moments.bad.any() and not moments.missing.any()
    return moments.seconds(moments.exact).tolist()


def _notes(column: pl.Series) -> str:
    return "; ".join(remark.text for remark in read_moments(column).notes)


def _floor(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)


@given(st.lists(MOMENTS, min_size=1, max_size=10))
def test_iso_text_and_datetimes_agree_with_python(moments: list[dt.datetime]) -> None:
    expected = [_floor(moment) for moment in moments]
    for text in ([str(m) for m in moments], [m.isoformat() for m in moments], [m.isoformat() + "Z" for m in moments]):
        assert _seconds(pl.Series(text)) == expected
    assert _seconds(pl.Series(moments)) == expected
    assert _seconds(pl.Series([m.replace(second=0, microsecond=0).strftime("%Y-%m-%d %H:%M") for m in moments])) == [
        _floor(m.replace(second=0, microsecond=0)) for m in moments
    ]
    assert _seconds(pl.Series([m.date() for m in moments])) == [
        _floor(dt.datetime.combine(m.date(), dt.time())) for m in moments
    ]


def test_offsets_are_taken_off() -> None:
    same = ["2024-05-31T12:00:00+02:00", "2024-05-31 10:00:00Z", "2024-05-31T10:00:00.9Z", "2024-05-31 10:00:00 UTC"]
    assert set(_seconds(pl.Series(same))) == {1717149600}


# Nanoseconds of the first months of 1990 could as well be .NET's counts of our years, and are asked about.
@given(st.lists(st.integers(641_000_000, 1_750_000_000), min_size=1, max_size=20))
def test_milli_micro_and_nanoseconds_are_known_by_their_size(seconds: list[int]) -> None:
    for scale, note in ((1, ""), (1_000, "milliseconds"), (1_000_000, "microseconds"), (1_000_000_000, "nanoseconds")):
        for column in (pl.Series([s * scale for s in seconds]), pl.Series([str(s * scale) for s in seconds])):
            assert _seconds(column) == seconds
            assert note in _notes(column) and bool(_notes(column)) == bool(note)
            assert not list(read_moments(column).problems())


@given(st.lists(st.floats(-4e9, 4e9), min_size=1, max_size=20))
def test_fractions_keep_the_order_of_events(times: list[float]) -> None:
    moments = read_moments(pl.Series(times, dtype=pl.Float64))
    assert moments.seconds(moments.exact).tolist() == [int(np.floor(t)) for t in times]
    order = np.argsort(moments.exact, kind="stable")
    assert (np.diff(np.array(times)[order]) >= -1e-6).all()


def test_negative_and_scientific_numbers() -> None:
    assert _seconds(pl.Series(["-5", " 7", "+3"])) == [-5, 7, 3]
    assert _seconds(pl.Series(["8.7e8", "1e9"])) == [870_000_000, 1_000_000_000]
    assert _seconds(pl.Series([-1.5, 2.0])) == [-2, 2]


def test_calendar_numbers_are_dates_only_if_all_of_them_are() -> None:
    assert _seconds(pl.Series(["19700103", "19691231"])) == [2 * 86400, -86400]
    assert "20240531" in _notes(pl.Series([20200101]))
    assert _seconds(pl.Series([19700103, 19701303])) == [19700103, 19701303]


@pytest.mark.parametrize(
    "nothing",
    [None, "", "  ", "NaN", "null", "NaT", "\\N", "-", " NA ", "None", "<NA>", "0000-00-00", "0000-00-00 00:00:00"],
)
def test_nothing_is_missing_and_not_bad(nothing: str | None) -> None:
    for good in ("5", "2024-01-01"):
        moments = read_moments(pl.Series([good, nothing]))
        assert moments.missing.tolist() == [False, True] and not moments.bad.any()


@pytest.mark.parametrize("bad", ["soon", "inf", "-inf", "2024-13-01", "31/12/2024", "1e400", "99999999999999999999"])
def test_nonsense_is_bad_and_not_missing(bad: str) -> None:
    for good in ("5", "2024-01-01"):
        moments = read_moments(pl.Series([good, good, bad]))
        assert not moments.missing.any()
        assert moments.bad.tolist() == [False, False, True]


def test_spans_of_time_count_from_some_start() -> None:
    read = read_moments(pl.Series([dt.timedelta(days=2), dt.timedelta(microseconds=5)]))
    assert read.elapsed and read.exact.tolist() == [2 * 86_400 * 10**6, 5] and not list(read.problems())


def test_old_archives_are_said_and_days_of_1970_are_asked_about() -> None:
    for column in (["1890-03-01", "1911-12-31"], [dt.datetime(1890, 3, 1), dt.datetime(1911, 12, 31)]):
        read = read_moments(pl.Series(column))
        assert not list(read.problems()) and "every event is before 1990: 1890-03-01 to 1911-12-31" in _notes(
            pl.Series(column)
        )
    taken_for_nanoseconds = pl.Series([1_700_000_000, 1_600_000_000]).cast(pl.Datetime("ns"))
    assert read_moments(taken_for_nanoseconds).doubtful.all()
    assert read_moments(pl.Series(["2350-01-01"])).doubtful.all()


def test_columns_that_cannot_be_times() -> None:
    assert read_moments(pl.Series([True, None])).bad.tolist() == [True, False]
    assert read_moments(pl.Series([[1], [2]])).bad.all()
    assert read_moments(pl.Series([5, 2**64 - 1], dtype=pl.UInt64)).bad.tolist() == [False, True]
    assert read_moments(pl.Series([float("inf"), float("nan"), 1.0])).bad.tolist() == [True, False, False]


@given(st.lists(st.tuples(MOMENTS, st.booleans()), min_size=1, max_size=10), st.sampled_from([",", "T", " "]))
def test_dates_without_a_time_of_day_among_others_are_counted(events: list[tuple[dt.datetime, bool]], gap: str) -> None:
    gap = ", " if gap == "," else gap
    text = [f"{m:%Y-%m-%d}".rjust(10, "0") + ("" if bare else f"{gap}{m:%H:%M}") for m, bare in events]
    bare = [place for place, (_, is_bare) in enumerate(events) if is_bare]
    remarks = [one for one in read_moments(pl.Series(text)).notes if "no time of day" in one.text]
    if bare and len(bare) < len(events):
        (remark,) = remarks
        assert remark.row == bare[0]
        assert remark.text.startswith(f"{len(bare)} of the dates have no time of day")
    else:
        assert not remarks
