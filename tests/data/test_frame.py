"""One table, three libraries: each sees the same cells, and nothing where nothing is."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recollect.config import ConfigError
from recollect.data.frame import Frame
from recollect.data.parquet import as_table

COLUMNS = {
    "user": np.array([3, 1, 2]),
    "title": np.array(["a", None, "c"], dtype=object),
    "rank": np.ma.masked_array(np.array([1, 7, 2], np.int32), [False, True, False]),
    "logit": np.array([0.1, 0.2, 0.3], np.float32),
    "vector": np.arange(6, dtype=np.float32).reshape(3, 2),
}
ROWS = [
    {"user": 3, "title": "a", "rank": 1, "logit": np.float32(0.1), "vector": [0, 1]},
    {"user": 1, "title": None, "rank": None, "logit": np.float32(0.2), "vector": [2, 3]},
    {"user": 2, "title": "c", "rank": 2, "logit": np.float32(0.3), "vector": [4, 5]},
]


def test_every_library_sees_the_same() -> None:
    frame = Frame(COLUMNS)
    assert len(frame) == 3 and frame.columns == list(frame) == list(COLUMNS)
    assert list(frame.rows()) == ROWS and frame.to_polars().to_dicts() == ROWS
    assert frame.to_arrow().to_pylist() == ROWS and pa.table(frame).to_pylist() == ROWS
    made = frame.to_pandas()
    assert isinstance(made, pd.DataFrame)
    assert made["user"].tolist() == [3, 1, 2] and made["logit"].dtype == np.float32
    assert made["title"].isna().tolist() == made["rank"].isna().tolist() == [False, True, False]
    assert [one.tolist() for one in made["vector"]] == [row["vector"] for row in ROWS]


def test_it_shows_itself_and_writes_itself(tmp_path) -> None:
    frame = Frame(COLUMNS)
    assert "Frame of 3 rows" in repr(frame) and "logit" in repr(frame) and "<table" in frame._repr_html_()
    assert frame.write(tmp_path / "t.csv") == 3
    assert pl.read_csv(tmp_path / "t.csv")["rank"].to_list() == [1, None, 2]


def test_a_library_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        Frame(COLUMNS).to_pandas()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        Frame(COLUMNS).to_arrow()


def test_masked_cells_are_nothing_and_the_others_keep_their_type() -> None:
    whole = np.array([2**60 + 1, 5], np.int64)
    table = as_table({"n": np.ma.masked_array(whole, [False, True]), "m": np.ma.masked_array(whole)})
    assert table["n"].to_list() == [2**60 + 1, None] and table["m"].to_list() == whole.tolist()


def test_further_columns_stand_behind_as_they_were() -> None:
    further = pl.DataFrame({"rank": [0, 0, 0], "n": [5, None, 6], "tags": [["a"], None, []]})
    frame = Frame(COLUMNS, further)
    assert frame.columns == list(frame) == [*COLUMNS, "n", "tags"] and len(frame) == 3
    rows = [{**row, "n": n, "tags": tags} for row, n, tags in zip(ROWS, [5, None, 6], [["a"], None, []], strict=True)]
    assert list(frame.rows()) == rows and frame.to_polars().to_dicts() == rows
    assert pa.table(frame).to_pylist() == rows and frame.to_pandas()["tags"].tolist() == [["a"], None, []]
    assert frame["rank"].tolist() == [1, None, 2] and frame["n"][0] == 5
    with pytest.raises(KeyError):
        frame["none"]
