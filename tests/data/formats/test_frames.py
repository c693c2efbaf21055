"""Tables in memory, of any kind, give the log that their file would give."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recollect.data import sources
from recollect.data.log import DataError

COLUMNS = {"user_id": [3, 3, 1], "item_id": ["b", "a", "b"], "timestamp": [20, 10, 30], "rating": [1.0, 2.0, 3.0]}


def test_pandas_polars_and_arrow_agree() -> None:
    logs = [sources.read(make(COLUMNS), values=("rating",)) for make in (pd.DataFrame, pl.DataFrame, pa.table)]
    logs.append(sources.read(pl.LazyFrame(COLUMNS), values=("rating",)))
    assert len({log.digest for log in logs}) == 1
    for log in logs:
        assert log.user_ids.ids.tolist() == [1, 3] and log.user_ids.ids.dtype == np.int64
        assert log.times.tolist() == [30, 10, 20] and log.values["rating"].tolist() == [3.0, 2.0, 1.0]


def test_pandas_holes_are_missing_ids() -> None:
    nothing = [float("nan"), None, pd.NA, pd.NaT]
    table = pd.DataFrame({"user": [1, 2, 3, 4, 5], "item": np.array([*nothing, "x"], dtype=object), "time": range(5)})
    log = sources.read(table)
    assert len(log) == 1 and [(d.reason, d.events) for d in log.dropped] == [("no item id", 4)]
    assert log.dropped[0].detail == "first at table row 1"


def test_a_float_column_of_whole_ids_is_integers() -> None:
    log = sources.read(pd.DataFrame({"user": [17850.0, float("nan"), 3.0], "item": [1, 2, 3], "time": [1, 2, 3]}))
    assert log.user_ids.ids.tolist() == [3, 17850] and log.user_ids.ids.dtype == np.int64


def test_object_columns_of_mixed_kinds_are_text() -> None:
    log = sources.read(pd.DataFrame({"user": [1, 1], "item": np.array([7, "a"], dtype=object), "time": [1, 2]}))
    assert log.item_ids.ids.tolist() == ["7", "a"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_of_any_zone_and_unit_are_utc_seconds(unit: str) -> None:
    naive = pd.Series(pd.to_datetime(["2024-01-01 12:00:00", "1969-12-31 23:59:59"])).astype(f"datetime64[{unit}]")
    paris = naive.dt.tz_localize("UTC").dt.tz_convert("Europe/Paris")
    for times in (naive, paris):
        table = pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": times})
        for made in (table, pl.DataFrame({k: table[k].to_list() for k in table}), pa.Table.from_pandas(table)):
            assert sources.read(made, time_format="dates").times.tolist() == [-1, 1704110400]


def test_dates_and_hidden_nothing_in_them() -> None:
    table = pl.DataFrame({"user": [1, 1], "item": [1, 2], "date": [dt.date(1970, 1, 3), None]})
    log = sources.read(table)
    assert log.times.tolist() == [2 * 86400] and log.dropped[0].reason == "no time"


def test_side_tables_line_up() -> None:
    items = pd.DataFrame({"item_id": ["b", "z", "a"], "title": ["Bee", "Zed", None]})
    log = sources.read(pd.DataFrame(COLUMNS), items=items, users=pl.DataFrame({"user_id": [3], "age": [44]}))
    assert log.titles().tolist() == ["", "a", "Bee"]
    assert log.user_table is not None and str(log.user_table["age"].tolist()) == "[nan, 44.0]"


def test_what_is_no_table() -> None:
    with pytest.raises(DataError, match="a int is no table"):
        sources.read(5)
    with pytest.raises(DataError, match="no column looks like the item"):
        sources.read(pd.DataFrame({"user": [1]}))
    with pytest.raises(DataError, match="no events"):
        sources.read(pl.DataFrame({"user": [], "item": [], "time": []}))


@pytest.mark.parametrize("index", ["timestamp", "user_id", ["user_id", "timestamp"]])
def test_an_index_with_a_name_is_a_column(index: str | list[str]) -> None:
    """`set_index("timestamp")` is a habit; the times must not be gone, and the order of the rows used instead."""
    table = pd.DataFrame(COLUMNS)
    assert sources.read(table.set_index(index)).digest == sources.read(table).digest


def test_moments_with_a_zone_and_without_in_one_column() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    times = [dt.datetime(2020, 1, 1, 10), dt.datetime(2020, 1, 1, 10, tzinfo=zone)]
    table = pd.DataFrame({"user": [1, 1], "item": [1, 2], "time": pd.Series(times, dtype=object)})
    log = sources.read(table)
    assert log.item_ids.decode(log.items).tolist() == [2, 1] and np.ptp(log.times) == 5 * 3600


@pytest.mark.parametrize("what", ["two names", "a series"])
def test_what_pandas_allows_and_a_log_cannot_be(what: str) -> None:
    table = pd.DataFrame([["a", "b", 1]], columns=["user", "user", "time"])
    with pytest.raises(DataError, match="'user' 2 times|a Series is no table"):
        sources.read(table if what == "two names" else table["time"])
