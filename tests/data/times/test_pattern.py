"""Forms that a person says: patterns mean what they mean to Python's strptime; what means nothing is answered."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.data.log import DataError
from recollect.data.times.column import read_moments

PATTERNS = (
    "%d.%m.%Y %H:%M", "%m/%d/%y %I:%M %p", "%Y%m%d%H%M%S", "%d%m%y", "%A, %d %B %Y", "%b %d %Y %H:%M:%S.%f", "%Y-%j",
    "%H:%M:%S,%f %d/%m/%Y", "%d/%m/%Y %H", "%m/%Y", "%B %Y", "%Y", "%y", "%d %m %Y at %I %p", "100%% %Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%z",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=50)  # a column costs much more than a moment in it
@given(moments=st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 12, 31)), min_size=1, max_size=16))
def test_patterns_mean_what_they_mean_to_python(pattern: str, moments: list[dt.datetime]) -> None:
    texts = [m.replace(tzinfo=dt.UTC).strftime(pattern) for m in moments]
    read = read_moments(pl.DataFrame({"t": texts}), pattern)
    assert not list(read.problems())
    wanted = [dt.datetime.strptime(text, pattern).replace(tzinfo=dt.UTC) for text in texts]
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert [start + dt.timedelta(microseconds=int(count)) for count in read.exact] == wanted


def test_rows_of_another_form_are_bad_and_nothing_is_missing() -> None:
    read = read_moments(pl.DataFrame({"t": ["31.05.2024", "2024-05-31", "-", "31.05.24"]}), "%d.%m.%Y")
    assert read.bad.tolist() == [False, True, False, True] and read.missing.tolist() == [False, False, True, False]


def test_zeros_that_a_table_lost_are_put_back() -> None:
    for column in ([5122024, 31122024], ["5122024", "31122024"], [5122024.0, None]):
        read = read_moments(pl.DataFrame({"t": column}), "%d%m%Y")
        assert not read.bad.any()
        assert read.exact[0] == int(dt.datetime(2024, 12, 5, tzinfo=dt.UTC).timestamp()) * 10**6


def test_what_was_said_is_not_questioned() -> None:
    texts = ["1850-01-01", "2024-05-31", "9999-12-31"]
    for form in ("%Y-%m-%d", "dates"):
        read = read_moments(pl.DataFrame({"t": texts}), form)
        assert read.usable.all() and not list(read.problems())
    assert read_moments(pl.DataFrame({"t": texts})).doubtful.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("unix_ms", "did you mean 'unix-ms'"),
        ("dayfirst", "did you mean 'day-first'"),
        ("DD.MM.YYYY", "neither a pattern such as"),
        ("%H:%M", "says no year"),
        ("%Y-%Q", "%Q means nothing"),
        ("%", "means nothing"),
    ],
)
def test_a_form_that_means_nothing_is_answered(form: str, answer: str) -> None:
    with pytest.raises(DataError, match=answer):
        read_moments(pl.DataFrame({"t": ["2024-05-31"]}), form)
