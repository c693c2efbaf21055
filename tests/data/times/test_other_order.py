"""A file whose dates have another order than those of the other files is refused as a whole, or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError, EventLog


def _week(folder: Path, name: str, days: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    rows = (f"{k % 3},{chr(97 + k)},{day} 10:00" for k, day in enumerate(days))
    (folder / f"{name}.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")


def _read(folder: Path, **options: str) -> EventLog:
    return sources.read(folder / "*.csv", **options)  # type: ignore[arg-type]


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    folder = tmp_path / "weeks"
    _week(folder, "kw16", ["18.04.2011", "19.04.2011", "24.04.2011"])
    _week(folder, "kw17", ["04.28.2011", "04.30.2011", "05.01.2011"])  # month first
    return folder


def test_a_file_in_another_order_is_named_with_the_order_that_it_has(weeks: Path) -> None:
    with pytest.raises(DataError) as error:
        _read(weeks, time_format="day-first")
    assert f"{weeks / 'kw17.csv'} line 2: '04.28.2011 10:00' in column 'time' can only be month-first" in str(
        error.value
    )
    assert "where dates are read day-first (3 such rows)" in str(error.value)


def test_its_dates_that_could_be_read_are_not_left_in_where_bad_rows_are_skipped(weeks: Path) -> None:
    with pytest.raises(DataError, match=r"kw17.csv line 2: .*and no row of the file is left \(3 such rows\)"):
        _read(weeks, time_format="day-first", on_bad="skip")
    log = _read(weeks, time_format="day-first", on_bad="skip-files")
    assert len(log) == 3
    assert [(one.reason, one.events) for one in log.dropped] == [("date in another order", 3)]


def test_a_file_that_has_both_orders_loses_the_rows_of_the_other_alone(tmp_path: Path) -> None:
    _week(tmp_path, "mixed", ["18.04.2011", "04.28.2011", "05.01.2011"])
    log = _read(tmp_path, time_format="day-first", on_bad="skip")
    assert len(log) == 2 and [(one.reason, one.events) for one in log.dropped] == [("date in another order", 1)]


def test_one_file_alone_in_another_order_than_is_said_is_refused(tmp_path: Path) -> None:
    _week(tmp_path, "alone", ["04.28.2011", "04.30.2011", "05.01.2011"])
    with pytest.raises(DataError, match=r"none of its 3 rows can be used \(3 x date in another order\)"):
        _read(tmp_path, time_format="day-first", on_bad="skip")


@pytest.mark.parametrize("said", [{}, {"time_format": "day-first"}], ids=["decided", "said"])
def test_a_week_that_spans_months_in_the_order_of_the_others_is_named(tmp_path: Path, said: dict[str, str]) -> None:
    _week(tmp_path, "kw13", ["28.03.2011", "31.03.2011", "03.04.2011"])
    _week(tmp_path, "kw14", ["04.04.2011", "04.07.2011", "04.10.2011"])  # month first: 4 to 10 April
    (found,) = (note for note in _read(tmp_path, **said).notes if "see whether" in note)
    assert found == (
        f"the dates of the file of {tmp_path / 'kw14.csv'} line 2 are read day-first, 2011-04-04 to 2011-10-04; read "
        "month-first they would be 2011-04-04 to 2011-04-10: see whether it is written like the other files"
    )


def test_weeks_that_are_written_alike_are_not_named(tmp_path: Path) -> None:
    _week(tmp_path, "kw13", ["28.03.2011", "31.03.2011", "03.04.2011"])
    _week(tmp_path, "kw14", ["04.04.2011", "07.04.2011", "10.04.2011"])
    assert not any("see whether" in note for note in _read(tmp_path).notes)
