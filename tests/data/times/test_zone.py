"""Local times of a zone, against Python's own zoneinfo: every form of them, hours that exist twice or not at all."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.data.as_read import AsRead
from recollect.data.filters import FilterConfig, apply, parse_time
from recollect.data.reading import Reading
from recollect.data.sources import read
from recollect.data.times.column import read_moments
from recollect.data.times.zone import on_the_wall

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
NAIVE = st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2024, 12, 31))


def _expected(moment: dt.datetime, zone: str) -> int:
    return int(moment.replace(microsecond=0, tzinfo=ZoneInfo(zone)).timestamp())  # fold is 0


def _seconds(column: pl.Series, zone: str, form: str | None = None) -> list[int]:
    moments = read_moments(column.to_frame(), form, zone)
    assert moments.usable.all()
    return moments.seconds(moments.exact).tolist()


@given(st.lists(NAIVE, min_size=1, max_size=8), st.sampled_from(ZONES))
def test_local_times_in_every_form_are_those_of_zoneinfo(moments: list[dt.datetime], zone: str) -> None:
    expected = [_expected(one, zone) for one in moments]
    assert _seconds(pl.Series([str(one) for one in moments]), zone) == expected
    assert _seconds(pl.Series(moments, dtype=pl.Datetime("us")), zone) == expected
    assert _seconds(pl.Series([f"{one:%d.%m.%Y %H:%M:%S}" for one in moments]), zone, "%d.%m.%Y %H:%M:%S") == expected
    assert _seconds(pl.Series([int(f"{one:%Y%m%d%H%M%S}") for one in moments]), zone) == expected
    days = [dt.datetime.combine(one.date(), dt.time()) for one in moments]
    assert _seconds(pl.Series([one.date() for one in moments]), zone) == [_expected(one, zone) for one in days]
    two = pl.DataFrame({"date": [f"{one:%Y-%m-%d}" for one in moments], "time": [f"{one:%H:%M:%S}" for one in moments]})
    joined = read_moments(two, None, zone)
    assert joined.seconds(joined.exact).tolist() == expected


@given(st.lists(NAIVE, min_size=1, max_size=8), st.sampled_from(ZONES))
def test_what_has_an_offset_is_not_changed(moments: list[dt.datetime], zone: str) -> None:
    seconds = [int(one.replace(microsecond=0, tzinfo=dt.UTC).timestamp()) for one in moments]
    aware = [f"{one:%Y-%m-%dT%H:%M:%S}" + ("Z" if k % 2 else "+00:00") for k, one in enumerate(moments)]
    assert _seconds(pl.Series(aware), zone) == seconds
    assert _seconds(pl.Series(seconds), zone) == seconds
    in_utc = pl.Series(moments, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
    assert _seconds(in_utc.dt.convert_time_zone("Asia/Tokyo"), zone) == seconds
    written = pl.Series([f"{one:%d/%m/%Y %H:%M:%S} +0000" for one in moments])
    assert _seconds(written, zone, "%d/%m/%Y %H:%M:%S %z") == seconds
    wikipedia = pl.Series([f"{one:%H:%M, %d %B %Y} (UTC)" for one in moments])
    assert _seconds(wikipedia, zone) == [one - one % 60 for one in seconds]


def test_rows_with_and_without_an_offset_in_one_column(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "user,item,time\n1,1,2024-07-01 12:00\n"
        "1,2,2024-07-01T12:00:00Z\n1,3,2024-07-01T12:00:00+05:30\n1,4,2024-07-02\n"
    )
    log = read(tmp_path / "log.csv", time_zone="Europe/Berlin")
    at = dict(zip(log.item_ids.decode(log.items).tolist(), log.times.tolist(), strict=True))
    noon = 1719835200
    assert at == {1: noon - 7200, 2: noon, 3: noon - 19800, 4: noon + 12 * 3600 - 7200}
    assert "times without an offset are those of Europe/Berlin (2 of 4 rows)" in log.notes
    assert log.reading["time_zone"] == "Europe/Berlin"


def test_hours_that_exist_twice_or_never_are_said_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "user,item,time\n1,1,2024-10-27 01:30\n1,2,2024-10-27 02:30\n1,3,2024-10-27 03:30\n1,4,2024-03-31 02:30\n"
    )
    log = read(tmp_path / "log.csv", time_zone="Europe/Berlin")
    assert (log.times - log.times[0]).tolist() == [0, 18140400 - 3600, 18140400, 18140400 + 7200]
    twice, never = (next(one for one in log.notes if what in one) for what in ("exist twice", "do not exist"))
    assert twice.startswith("1 times exist twice in Europe/Berlin") and f"{tmp_path / 'log.csv'} line 3" in twice
    assert never.startswith("1 times do not exist in Europe/Berlin") and f"{tmp_path / 'log.csv'} line 5" in never
    quiet = read(tmp_path / "log.csv")
    assert not any("exist" in one for one in quiet.notes) and quiet.times.tolist() != log.times.tolist()


def test_frames_tell_moments_from_local_times() -> None:
    local = pd.DataFrame(
        {"user": [1, 1], "item": [1, 2], "time": pd.to_datetime(["2024-07-01 12:00", "2024-07-02 00:00"])}
    )
    aware = local.assign(time=local["time"].dt.tz_localize("Europe/Berlin"))
    assert read(local, time_zone="Europe/Berlin").times.tolist() == read(aware).times.tolist()
    assert read(aware, time_zone="Asia/Tokyo").times.tolist() == read(aware).times.tolist()
    assert any("nothing is changed" in one for one in read(aware, time_zone="Asia/Tokyo").notes)


def test_filters_and_moments_that_are_asked_for_follow_the_zone() -> None:
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": ["2024-06-30 23:30", "2024-07-01 00:30"]})
    log = apply(read(frame, time_zone="America/New_York"), FilterConfig(time_from="2024-07-01"))
    assert log.item_ids.ids.tolist() == [2]
    assert parse_time("2024-07-01", "America/New_York") == parse_time("2024-07-01") + 4 * 3600
    assert parse_time("2024-07-01T00:00Z", "America/New_York") == parse_time("2024-07-01")


def test_a_zone_that_is_none_is_one_line() -> None:
    with pytest.raises(ConfigError, match="'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'"):
        read(pl.DataFrame({"user": [1], "item": [1], "time": [1]}), time_zone="Europe/Berln")


IN_TWO = ("%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S%z", None)


@pytest.mark.parametrize(
    ("time", "form"),
    [*(("time", form) for form in (*IN_TWO, "unix-ms", "excel")), *(("date,clock", f) for f in IN_TWO)],
)
def test_what_is_written_as_read_comes_back(tmp_path: Path, time: str, form: str | None) -> None:
    seconds = np.arange(1_709_000_000, 1_729_000_000, 1_000_003)  # over a change of clocks
    reading = Reading(user="user", item="item", time=time, time_format=form, time_zone="Europe/Berlin")
    writing = AsRead(reading, tmp_path / "log.csv")
    block = {"user": np.ones(len(seconds), dtype=np.int64), "item": np.arange(len(seconds)), "time": seconds}
    writing.write([block])
    options = reading.model_dump(exclude_defaults=True)
    assert read(tmp_path / "log.csv", **options).times.tolist() == seconds.tolist()
    assert not list(writing.notes)


@given(st.lists(st.integers(800_000_000, 1_730_000_000), min_size=1), st.sampled_from(ZONES))
def test_clocks_on_the_wall_are_those_of_zoneinfo(seconds: list[int], zone: str) -> None:
    shown = [dt.datetime.fromtimestamp(one, ZoneInfo(zone)).replace(tzinfo=dt.UTC).timestamp() for one in seconds]
    assert on_the_wall(np.array(seconds), zone).tolist() == shown
