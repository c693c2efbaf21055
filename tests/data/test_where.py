"""Which rows are events: the small language against plain Python on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recollect
from recollect.config import ConfigError
from recollect.data.log import DataError
from recollect.data.where import parse

ROWS = pl.DataFrame(
    {
        "rating": ["5", "3.5", None, "x", "-1"],
        "event": ["buy", "view", "view", " buy ", None],
        "day": ["2024-05-31", "2024-06-01", "2024-06-02 10:00:00", "2023-01-01", ""],
        "my stars": [1, 2, 3, 4, 5],
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("rating >= 3.5", [0, 1]),
        ("rating<0", [4]),
        ("rating != -1", [0, 1, 2, 3]),
        ("event == 'buy'", [0, 3]),
        ("event = buy", [0, 3]),
        ('event <> "buy"', [1, 2, 4]),
        ("event in ('buy', 'cart')", [0, 3]),
        ("event not in (view)", [0, 3, 4]),
        ("rating in (5, 3.5)", [0, 1]),
        ("not event == view", [0, 3, 4]),
        ("event == buy and rating >= 4", [0]),
        ("event == view or rating >= 4 and event == buy", [0, 1, 2]),
        ("(event == view or rating >= 4) and `my stars` > 1", [1, 2]),
        ("day >= 2024-06-01", [1, 2]),
        ("day < '2024-06-01'", [0, 3]),
    ],
)
def test_conditions(text: str, rows: list[int]) -> None:
    assert np.flatnonzero(parse(text).holds(ROWS, "x.csv")).tolist() == rows


@given(st.recursive(st.sampled_from(["a > 1", "b == 'u'", "a <= 0", "b != 'v'"]), lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda t: f"({''.join(t)})"),
    inner.map(lambda t: f"not ({t})")), max_leaves=8))  # fmt: skip
def test_and_or_not_are_those_of_python(text: str) -> None:
    frame = pl.DataFrame({"a": [0, 1, 2, 3], "b": ["u", "v", "u", "v"]})
    wanted = [eval(text, {"a": a, "b": b}) for a, b in frame.iter_rows()]
    assert parse(text).holds(frame, "x").tolist() == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rating",
        "rating >=",
        ">= 4",
        "rating >= 4 and",
        "(rating >= 4",
        "rating >= 4)",
        "rating 4",
        "a in b",
        "a == 'x",
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^where: ") as error:
        parse(text)
    assert "\n" not in str(error.value)


def test_a_decimal_comma_in_the_expression_is_answered_with_the_decimal_point() -> None:
    with pytest.raises(ConfigError, match=r"',' is not expected \(a number has a decimal point here, as 9\.5\)"):
        parse("price > 9,5")


def test_read_counts_what_is_left_out() -> None:
    frame = pl.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 3, 4], "time": [1, 2, 3, 4], "stars": [5, 1, 4, 2]})
    log = recollect.read(frame, where="stars >= 4")
    assert log.item_ids.ids.tolist() == [1, 3]
    assert [(d.reason, d.events) for d in log.dropped] == [("not stars >= 4", 2)]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("a > 1", "not a > 1"),
        ("a not in (1, 2)", "not a not in (1, 2)"),
        ("not a > 1", "a > 1"),
        (" NOT not a > 1", "not a > 1"),
        ("not (a > 1 or b == 'u')", "(a > 1 or b == 'u')"),
        ("not(a > 1)", "(a > 1)"),
        ("not a > 1 and b == 'u'", "not (not a > 1 and b == 'u')"),
        ("a > 1 and not b == 'u'", "not (a > 1 and not b == 'u')"),
    ],
)
def test_the_other_rows_are_those_for_which_it_does_not_hold(text: str, others: str) -> None:
    frame = pl.DataFrame({"a": [0, 1, 2, 3], "b": ["u", "v", "u", "v"]})
    assert parse(text).others == others
    assert (parse(others).holds(frame, "x") == ~parse(text).holds(frame, "x")).all()


def test_a_condition_that_holds_nowhere_shows_what_there_is() -> None:
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2], "event": ["buy", "view"]})
    with pytest.raises(DataError, match=r"no row is event == by; event holds (buy|view) \(1\)"):
        recollect.read(frame, where="event == by", time="none")
    with pytest.raises(DataError, match=r"no column 'evnt'; did you mean 'event'"):
        recollect.read(frame, where="evnt == buy", time="none")
    with pytest.raises(DataError, match="neither a number nor a date"):
        recollect.read(frame, where="event > 'b'", time="none")


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_cells_that_are_no_numbers_are_said(kind: type[pl.DataType]) -> None:
    prices = pl.Series(["5", "1,200", None, "2"]).cast(kind)
    table = pl.DataFrame({"user": [1, 2, 3, 4], "item": [1, 2, 3, 4], "price": prices})
    log = recollect.read(table, where="price > 3")
    assert [(one.events, one.detail) for one in log.dropped] == [(3, "price holds no number in 1 rows, as '1,200'")]
    assert any("price holds no number in 1 rows, as '1,200'; there a comparison" in note for note in log.notes)


def test_cells_that_are_no_numbers_are_said_where_no_row_is_left_out() -> None:
    table = pl.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "price": ["5", "5 EUR", "6 EUR"]})
    log = recollect.read(table, where="not price > 9")
    assert len(log) == 3 and not log.dropped
    assert any(note.startswith("where: price holds no number in 2 rows, as '5 EUR'") for note in log.notes)
    with pytest.raises(DataError, match=r"no row is price > 9; price holds .*; where: price holds no number in 2 rows"):
        recollect.read(table, where="price > 9")


@pytest.mark.parametrize("negated", [False, True])
def test_decimal_commas_compare_as_numbers(tmp_path: Path, negated: bool) -> None:
    prices = ["20,29", "9,5", "9,51", "1.000,00", "12", "3", "0,99"]
    rows = [f"{k};{k};{k};{price}" for k, price in enumerate(prices)]
    (tmp_path / "x.csv").write_text("\n".join(["user;item;time;price", *rows]) + "\n")
    log = recollect.read(tmp_path / "x.csv", where="not price > 9.5" if negated else "price > 9.5")
    above = {price for price in prices if float(price.replace(".", "").replace(",", ".")) > 9.5}
    kept = {prices[int(item)] for item in log.item_ids.ids}
    assert kept == (set(prices) - above if negated else above)
    assert "price is read with decimal commas, as '20,29'" in log.notes


def test_an_empty_cell_is_the_empty_text() -> None:
    table = pl.DataFrame({"user": [1, 2, 3], "item": [1, 2, 3], "note": ["x", None, ""]})
    assert len(recollect.read(table, where="note == ''")) == 2
    assert len(recollect.read(table, where="note != ''")) == 1
