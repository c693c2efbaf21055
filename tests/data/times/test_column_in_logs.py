"""From a file to the order of events: what is read, what is refused with its line, and what is said, in whole logs."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recollect.data import sources
from recollect.data.log import DataError, EventLog


def _write(path: Path, times: list[object], header: str = "user,item,time") -> Path:
    path.write_text(f"{header}\n" + "".join(f"{k % 2},{k},{time}\n" for k, time in enumerate(times)))
    return path


def _items(log: EventLog) -> list[int]:
    return log.item_ids.decode(log.items).tolist()  # type: ignore[no-any-return]


def _by_time(times: list[float]) -> list[int]:
    return sorted(range(len(times)), key=lambda k: (k % 2, times[k]))


def test_files_of_different_units_are_one_log(tmp_path: Path) -> None:
    seconds = np.random.default_rng(0).integers(1_600_000_000, 1_700_000_000, 40).tolist()
    old = "".join(f"{k % 2},{k},{s}\n" for k, s in enumerate(seconds[:20]))
    new = "".join(f"{k % 2},{k},{s * 1000}\n" for k, s in enumerate(seconds[20:], 20))
    (tmp_path / "1.csv").write_text("user,item,time\n" + old)
    (tmp_path / "2.csv").write_text("user,item,time\n" + new)
    log = sources.read(tmp_path)
    assert _items(log) == _by_time(seconds)
    assert sorted(log.times.tolist()) == sorted(seconds)
    assert re.search(r"seconds \(20 rows\) and milliseconds \(20 rows\).*first at .*1\.csv line 2", log.notes[-1])


def test_a_doubtful_time_stops_with_its_line_or_is_counted(tmp_path: Path) -> None:
    path = _write(tmp_path / "log.csv", [1_700_000_000, 0, 1_700_000_060, 5_000_000_000])
    with pytest.raises(DataError) as error:
        sources.read(path)
    assert re.fullmatch(
        rf"{path} line 3: '0' in column 'time' would be 1970-01-01 00:00:00, outside 1990 to \d{{4}}, where the others "
        r"are \(2 such rows\); correct it, leave such rows out with --on-bad skip, or take them as they are with "
        r"--time-format unix",
        str(error.value),
    )
    log = sources.read(path, on_bad="skip")
    [left] = log.dropped
    assert len(log) == 2 and left.events == 2 and left.reason.startswith("time outside 1990 to")
    assert left.detail == f"first at {path} line 3"
    assert len(sources.read(path, time_format="unix")) == 4


def test_a_date_of_another_form_is_told_from_what_is_no_time(tmp_path: Path) -> None:
    days = ["31.12.2025 21:54", "2025-12-23 16:36", "30.12.2025 8:00", "", "2025-12-24 16:36", "29.12.2025 09:30"]
    path = _write(tmp_path / "log.csv", list(days))
    with pytest.raises(DataError) as error:
        sources.read(path)
    assert str(error.value) == (
        f"{path} line 3: '2025-12-23 16:36' in column 'time' is a date of another form than the column's others, such "
        "as '31.12.2025 21:54' (2 such rows); write all in one form, or leave such rows out with --on-bad skip"
    )
    path = _write(path, [*days, "soon", "31.02.2025 10:00"])
    with pytest.raises(DataError, match=r"line 8: 'soon' in column 'time' is no time \(2 such rows\); expected unix"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert len(log) == 3
    assert [(one.reason, one.events) for one in log.dropped] == [
        ("no time", 1),
        ("not a time", 2),
        ("a date of another form", 2),
    ]


def test_an_ambiguous_order_is_refused_even_where_bad_rows_are_skipped(tmp_path: Path) -> None:
    path = _write(tmp_path / "log.csv", ["05/05/2011", "12/05/2011", "03/04/2012"])
    for on_bad in ("stop", "skip"):
        with pytest.raises(
            DataError, match=r"line 3: '12/05/2011' in column 'time' may be 2011-05-12 \(day-first\) or"
        ):
            sources.read(path, on_bad=on_bad)  # type: ignore[arg-type]
    starts = {"day-first": dt.datetime(2011, 5, 12), "month-first": dt.datetime(2011, 12, 5)}
    for form, start in starts.items():
        log = sources.read(path, time_format=form)
        assert int(start.replace(tzinfo=dt.UTC).timestamp()) in log.times.tolist()


def test_contradicting_rows_are_named_with_both_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / "log.csv", ["01/02/2011", "31/12/2011", "12/31/2011", "30/12/2011"])
    with pytest.raises(DataError) as error:
        sources.read(path)
    assert f"{path} line 4: '12/31/2011'" in str(error.value) and f"'31/12/2011' ({path} line 3)" in str(error.value)
    assert len(sources.read(path, time_format="day-first", on_bad="skip")) == 3


def test_a_row_that_is_left_out_anyway_is_not_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n1,a,1700000000\n,b,0\n1,c,1700000001\n")
    assert len(sources.read(path)) == 2


def test_a_time_that_is_not_known_by_name_stops_files_and_tables(tmp_path: Path) -> None:
    stamps = [1_700_000_000 + 60 * k for k in range(6)]
    path = _write(tmp_path / "log.csv", list(stamps), "user,item,stempel")
    table = pd.DataFrame({"user": [0, 1] * 3, "item": range(6), "stempel": pd.to_datetime(stamps, unit="s")})
    for source in (path, table):
        with pytest.raises(DataError, match="no column is known as the time, but 'stempel' holds dates or unix times"):
            sources.read(source)
        assert sources.read(source, time="stempel").clock and not sources.read(source, time="none").clock


def test_a_file_without_a_header_is_not_read_in_the_order_of_its_rows_if_it_has_times(tmp_path: Path) -> None:
    path = tmp_path / "u.tsv"
    path.write_text("".join(f"{k % 2}\t{k}\t5\t{1_700_000_000 - k}\n" for k in range(6)))
    with pytest.raises(DataError, match="'4' holds dates or unix times.*--time 4"):
        sources.read(path, user="1", item="2")
    assert _items(sources.read(path, user="1", item="2", time="4")) == [4, 2, 0, 5, 3, 1]


def test_kuairand(tmp_path: Path) -> None:
    """The day by Chinese clocks, hours and minutes as a number, and the moment in milliseconds; rows in no order."""
    china = dt.timezone(dt.timedelta(hours=8))
    millis = np.random.default_rng(0).integers(1_649_400_000_000, 1_649_600_000_000, 50).tolist()
    local = [dt.datetime.fromtimestamp(milli / 1000, china) for milli in millis]
    lines = [
        f"{k % 2},{k},{m:%Y%m%d},{int(f'{m:%H%M}')},{t}" for k, (m, t) in enumerate(zip(local, millis, strict=True))
    ]
    path = tmp_path / "log.csv"
    path.write_text("user_id,video_id,date,hourmin,time_ms\n" + "\n".join(lines) + "\n")
    assert _items(sources.read(path)) == _by_time(millis)
    minutes = [milli // 60_000 for milli in millis]
    assert _items(sources.read(path, time="date,hourmin")) == _by_time(minutes)
    path.write_text("user_id,video_id,date,hourmin\n" + "\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    log = sources.read(path)
    assert _items(log) == _by_time(minutes) and "time = date,hourmin" in log.notes[0]


def test_milliseconds_beside_seconds_order_events_inside_a_second(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n1,3,1700000001\n1,2,1700000000900\n1,1,1700000000100\n")
    log = sources.read(path)
    assert _items(log) == [1, 2, 3] and log.times.tolist() == [1_700_000_000, 1_700_000_000, 1_700_000_001]


def test_counts_are_said_and_positions_are_not_called_counts(tmp_path: Path) -> None:
    log = sources.read(_write(tmp_path / "a.csv", [5, 7, 100, 90]))
    assert log.clock and log.notes[-1] == "times run from 5 to 100: taken as seconds from some start, not as dates"
    log = sources.read(_write(tmp_path / "b.csv", [0, 0, 1, 1]))
    assert not log.clock and not any("from some start" in note for note in log.notes)


def test_a_form_that_means_nothing_is_one_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "log.csv", ["2024-05-31", "2024-06-01"])
    with pytest.raises(DataError, match=r"time format 'DD\.MM\.YYYY' is neither a pattern"):
        sources.read(path, time_format="DD.MM.YYYY")


def test_a_day_among_moments_is_said_with_its_line_in_one_file_and_over_several(tmp_path: Path) -> None:
    whole = _write(tmp_path / "log.csv", ["05/31/2024 14:02", "05/31/2024", "06/01/2024 09:00", "06/02/2024"])
    (note,) = [one for one in sources.read(whole).notes if "no time of day" in one]
    assert note.startswith("2 of the dates") and f"('05/31/2024' first at {whole} line 3)" in note
    days, moments = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pl.DataFrame({"user": [1, 2], "item": [1, 2], "time": [dt.date(2024, 5, 31)] * 2}).write_parquet(days)
    pl.DataFrame({"user": [1], "item": [3], "time": [dt.datetime(2024, 5, 31, 7)]}).write_parquet(moments)
    (note,) = [one for one in sources.read(tmp_path / "*.parquet").notes if "no time of day" in one]
    assert note.startswith("2 events have a day") and str(days) in note
    assert not [one for one in sources.read(days).notes if "no time of day" in one]
