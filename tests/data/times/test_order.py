"""What is said of dates that can be read two ways, or that contradict each other."""

from __future__ import annotations

import polars as pl
import pytest

from recollect.data.times.column import read_moments
from recollect.data.times.moments import Moments, Problem


def _read(texts: list[str | None], form: str | None = None) -> Moments:
    return read_moments(pl.DataFrame({"t": texts}), form)


def _refused(texts: list[str | None]) -> Problem:
    refusal = _read(texts).refusal
    assert refusal is not None and refusal.whole
    return refusal


def test_two_readings_are_shown_at_the_first_date_that_has_two() -> None:
    refusal = _refused(["05/05/2011", None, "12/05/2011 8:26"])
    assert refusal.rows.tolist() == [False, False, True]
    assert refusal.why(2).text == (
        "may be 2011-05-12 (day-first) or 2011-12-05 (month-first), and no row of the column decides it"
    )
    assert refusal.remedy == "say --time-format day-first or --time-format month-first"


def test_dates_that_read_alike_both_ways_are_read() -> None:
    assert _read(["05/05/2011", "11/11/2011"]).usable.all()


def test_rows_that_contradict_each_other_are_both_named() -> None:
    refusal = _refused(["01/02/2011", "31/12/2011", "30/12/2011", "12/31/2011"])
    assert refusal.rows.tolist() == [False, False, False, True]
    said = refusal.why(3).placed(lambda row: f"line {row + 2}")
    assert said == "can only be month-first, but '31/12/2011' (line 3) can only be day-first"
    read = _read(["01/02/2011", "31/12/2011", "30/12/2011", "12/31/2011"], "day-first")
    assert read.refusal is None and read.bad.tolist() == [False, False, False, True]


def test_a_date_that_is_none_in_any_order_decides_nothing() -> None:
    read = _read(["31/12/2011", "45/13/2011", "01/02/2011"])
    assert read.refusal is None and read.bad.tolist() == [False, True, False]
    assert _refused(["01/02/2011", "45/13/2011"]).rows.tolist() == [True, False]


def test_what_is_not_between_dates_of_one_kind_is_bad() -> None:
    """Two signs are two writers: Excel turns some dates round and leaves others as they were."""
    read = _read(["13/01/2011", "14/01/2011", "02-01-2011", "2011-01-15"])
    assert read.bad.tolist() == [False, False, True, True]


def test_the_years_tell_an_order_of_two_digits() -> None:
    assert _read(["12-05-11", "05-12-11", "31-01-12"]).usable.all()
    assert [name for name in ("day-first", "month-first", "year-first") if name in _refused(["12-05-11"]).remedy] == [
        "day-first", "month-first", "year-first",
    ]  # fmt: skip
    assert "year-first" not in _refused(["12-05-95"]).remedy


@pytest.mark.parametrize("form", ["day-first", "month-first", "year-first"])
def test_an_order_says_nothing_about_dates_that_have_one(form: str) -> None:
    assert (
        _read(["2011-05-12", "2011-12-05"], form).exact.tolist() == _read(["2011-05-12", "2011-12-05"]).exact.tolist()
    )


def test_the_reading_is_said() -> None:
    assert [remark.text for remark in _read(["12/13/2011", "01/02/2011"]).notes] == [
        "dates are read month-first: 12/13/2011 is 2011-12-13"
    ]
