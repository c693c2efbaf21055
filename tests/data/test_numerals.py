"""Text as numbers: what a writer with decimal commas writes is read back, and what may be English is left alone."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.numerals import read_numerals


@given(
    cents=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    group=st.sampled_from(["", ".", " ", "’", "\u00a0"]),
    words=st.lists(st.sampled_from(["", "n/a", None]), max_size=5),
)
def test_what_is_written_with_decimal_commas_is_read_back(
    cents: list[int], group: str, words: list[str | None]
) -> None:
    def written(number: int) -> str:
        return f"{number / 100:,.2f}".replace(",", "\0").replace(".", ",").replace("\0", group)

    read = read_numerals(pl.Series("p", [*map(written, cents), *words], dtype=pl.String))
    assert read.values.to_list() == [*(number / 100 for number in cents), *[None] * len(words)]
    assert read.odd.to_list() == [word for word in words if word]
    assert read.example == written(cents[0])


@pytest.mark.parametrize(
    ("cells", "values", "odd"),
    [
        (["1", "2.5", None, "", " 3 "], [1, 2.5, None, None, 3], []),
        (["5", "12,125", "1,200"], [5, None, None], ["12,125", "1,200"]),  # thousands, or three decimals
        (["1,234.50", "2,5"], [None, None], ["1,234.50", "2,5"]),
        (["3,5 kg", "2,5"], [None, None], ["3,5 kg", "2,5"]),
        (["1.234", "2.345", "2,5"], [1.234, 2.345, None], ["2,5"]),
        (["NaN", "2"], [None, 2], []),
    ],
)
def test_what_may_be_something_else_is_no_decimal_comma(
    cells: list[str | None], values: list[float | None], odd: list[str]
) -> None:
    read = read_numerals(pl.Series("p", cells))
    assert (read.values.to_list(), read.odd.to_list(), read.example) == (values, odd, None)


def test_among_decimal_commas_a_dot_stands_between_thousands_or_is_a_decimal_point() -> None:
    read = read_numerals(pl.Series("p", ["7", "20,29", "0,125", "1.234", "1.234.567", "10.5", "1.234,500"]))
    assert read.values.to_list() == [7, 20.29, 0.125, 1234, 1234567, 10.5, 1234.5]
    assert read.example == "20,29"


def test_numbers_that_are_numbers_stay_so() -> None:
    read = read_numerals(pl.Series("p", [1, None, 3]))
    assert read.values.to_list() == [1, None, 3] and read.values.dtype == pl.Float64 and not len(read.odd)
