"""Numbers as times: each by its own size, and those that no size explains are asked about."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.times import span
from recollect.data.times.column import read_moments
from recollect.data.times.moments import Moments

SECONDS = st.integers(641_000_000, 1_750_000_000)
PER_SECOND = st.sampled_from([1, 10**3, 10**6, 10**9])
# The day 0 of spreadsheets, as their makers document it.
DAY_ZERO = dt.datetime(1899, 12, 30)


def _read(values: list[object], form: str | None = None) -> Moments:
    return read_moments(pl.DataFrame({"t": pl.Series(values, strict=False)}), form)


def _problem(values: list[object], form: str | None = None) -> tuple[str, list[bool], str]:
    [problem] = _read(values, form).problems()
    row = int(problem.rows.argmax())
    return problem.reason, problem.rows.tolist(), f"{problem.why(row).text}; {problem.remedy}"


@given(st.lists(st.tuples(SECONDS, PER_SECOND), min_size=1, max_size=20), st.sampled_from([int, str, float]))
def test_units_may_be_mixed_from_row_to_row(rows: list[tuple[int, int]], kind: type) -> None:
    read = _read([kind(seconds * unit) for seconds, unit in rows])
    assert read.usable.all() and read.seconds(read.exact).tolist() == [seconds for seconds, _ in rows]
    units = [unit for _, unit in rows]
    said = [remark for remark in read.notes if "mixed" in remark.text]
    assert bool(said) == (len(set(units)) > 1)
    for remark in said:
        names = {unit: name for name, unit, _ in span.UNITS}
        assert all(f"{names[unit]} ({units.count(unit):,} rows)" in remark.text for unit in set(units))
        assert remark.row is not None
        rare = units[remark.row]
        assert units.count(rare) == min(map(units.count, units)) and units.index(rare) == remark.row
        assert f"{names[rare]} first at row 7" in remark.placed(lambda row: "row 7")


@given(st.lists(st.tuples(SECONDS, st.integers(0, 999), st.booleans()), min_size=2, max_size=20))
def test_fractions_beside_milliseconds_keep_the_order(rows: list[tuple[int, int, bool]]) -> None:
    values = [seconds + milli / 1000 if whole else float(seconds * 1000 + milli) for seconds, milli, whole in rows]
    read = _read(list(values))
    assert read.usable.all()
    true = np.array([seconds * 1000 + milli for seconds, milli, _ in rows])
    assert (np.abs(read.exact / read.per_second - true / 1000) < 2e-6).all()


@given(
    st.lists(SECONDS, min_size=1, max_size=10),
    st.sampled_from([0, -1, 5, 4_294_967_295, 10**12 // 2, 10**18 // 4, -(2**62)]),
    st.integers(0, 10),
)
def test_a_time_outside_the_span_is_asked_about(seconds: list[int], outside: int, place: int) -> None:
    values: list[object] = [*seconds[:place], outside, *seconds[place:]]
    at = min(place, len(seconds))
    reason, rows, said = _problem(values)
    assert reason == f"time outside 1990 to {dt.date.today().year + 1}"
    assert rows == [row == at for row in range(len(values))]
    assert "where the others are" in said and said.endswith("--time-format unix")
    taken = _read(values, "unix")
    assert taken.usable.all() and taken.exact.tolist() == values and not list(taken.problems())


def test_the_span_ends_with_next_year(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span, "this_year", lambda: 2024)
    start = {year: int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) for year in (1990, 2026)}
    assert _read([start[1990], start[2026] - 1]).usable.all()
    assert _read([start[1990] - 1, start[1990], start[2026]]).doubtful.tolist() == [True, False, True]
    assert "1990 to 2025" in _problem([start[1990], start[2026]])[2]


def test_numbers_that_are_no_dates_at_all() -> None:
    for values in ([4_000_000_000, 4_000_000_001], [9 * 10**10], [2 * 10**18]):
        reason, rows, said = _problem(list(values))
        assert reason.startswith("time outside") and all(rows) and "so is every other" in said


@pytest.mark.parametrize("values", [[0, 1, 2], [5, 7, 100], [0.5, 7.25], [-3, 24_281_932], [0, 0], ["0", "600000000"]])
def test_small_numbers_count_from_some_start(values: list[object]) -> None:
    read = _read(values)
    assert read.elapsed and not list(read.problems())
    assert (read.exact / read.per_second).tolist() == [float(value) for value in values]  # type: ignore[arg-type]
    assert "seconds from some start" in read.notes[0].text


def test_a_count_among_which_one_is_large_is_asked_about() -> None:
    assert _problem([5, 7, 9, 10**11])[1] == [False, False, False, True]
    assert _problem([5, 7, 1_700_000_000])[1] == [True, True, False]


@given(st.lists(st.datetimes(dt.datetime(1990, 1, 2), dt.datetime(2024, 12, 31)), min_size=1, max_size=9))
def test_spreadsheet_days_are_asked_about_and_read_if_it_is_said(moments: list[dt.datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in moments]
    days = [(moment - DAY_ZERO) / dt.timedelta(days=1) for moment in moments]
    for values in (days, [str(day) for day in days]):
        reason, rows, said = _problem(list(values))
        assert reason == "unclear time" and all(rows)
        assert "--time-format excel or --time-format unix" in said and str(moments[0]) in said
        read = _read(list(values), "excel")
        assert not list(read.problems())
        assert (read.exact // read.per_second).tolist() == [
            (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1) for moment in moments
        ]


@pytest.mark.parametrize(
    ("form", "unit"), [("unix", 1), ("unix-s", 1), ("unix-ms", 10**3), ("unix-us", 10**6), ("unix-ns", 10**9)]
)
def test_a_unit_that_is_said_is_taken(form: str, unit: int) -> None:
    for values in ([5, 1_700_000_000, -7], ["5", "1700000000", "-7"]):
        read = _read(list(values), form)
        assert read.per_second == unit and read.exact.tolist() == [5, 1_700_000_000, -7]
        assert not list(read.problems()) and not read.notes
    assert _read(["5", "2024-05-31"], form).bad.tolist() == [False, True]


def test_most_numbers_have_to_be_dates_for_the_rest_to_be_bad() -> None:
    assert _read([20240531, 20241301, 20240601]).bad.tolist() == [False, True, False]
    assert _read([20240531123000, 5, 20240531123001]).bad.tolist() == [False, True, False]
    assert _read([11_622, 20_240_531, 24_281_932]).elapsed


def test_dates_of_six_digits_are_asked_about() -> None:
    days = [240501, 240502, 240530, 240531, 240601]
    reason, _, said = _problem(list(days))
    assert reason == "unclear time" and "--time-format %y%m%d" in said and "--time-format unix" in said
    read = _read(list(days), "%y%m%d")
    assert [dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(e)) for e in read.exact] == [
        dt.datetime.strptime(str(day), "%y%m%d") for day in days
    ]
    assert _read([240501, 240599, 240530, 240531, 240601]).elapsed


def test_years_are_asked_about() -> None:
    for values in ([2019, 2020, 2012], ["2019", "2020", "2012"]):
        reason, _, said = _problem(list(values))
        assert reason == "unclear time" and "--time-format %Y or --time-format unix" in said
        assert (
            _read(list(values), "%Y").exact
            == np.array([str(v) for v in values], "datetime64[Y]").astype("M8[us]").astype(int)
        ).all()
    assert _read([1989, 2020]).elapsed


def test_fractions_of_seconds_are_no_microseconds() -> None:
    for values in ([1_600_000_000.5, 1_600_000_001.25], ["1600000000.5", "1600000001.25"]):
        read = _read(list(values))
        assert not read.notes and read.as_it_is == "unix" and not list(read.problems())
    assert "milliseconds" in _read([1_600_000_000_000.5]).notes[0].text


def test_a_long_column_of_counts_is_one() -> None:
    values = np.random.default_rng(0).integers(0, 30_000_000, 20_000)
    read = read_moments(pl.DataFrame({"t": values}))
    assert read.elapsed and np.array_equal(read.exact, values)
