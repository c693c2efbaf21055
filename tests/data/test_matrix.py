"""A matrix of users and items is told how to become a log, and no other table is taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recollect.data import matrix, sources
from recollect.data.log import DataError

RNG = np.random.default_rng(0)
RATINGS = RNG.integers(1, 6, (30, 40)).astype(object)
RATINGS[RNG.random((30, 40)) < 0.7] = None
USERS = [f"u{k}" for k in range(30)]


def _frame(columns: list[str], key: str = "user_id", cells: np.ndarray = RATINGS) -> pl.DataFrame:
    rows = [[user, *row] for user, row in zip(USERS, cells.tolist(), strict=True)]
    return pl.DataFrame(rows, schema=[key, *columns], orient="row", strict=False)


NAMES = {"words": [f"film {k}" for k in range(40)], "numbers": [str(101 + k) for k in range(40)]}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("key", ["user_id", "movie_id", "", "who"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_a_matrix_is_refused_and_its_melted_form_is_read(names: str, key: str, kind: str, tmp_path: Path) -> None:
    frame = _frame(NAMES[names], key)
    source: object = frame
    if kind != "frame":
        source = tmp_path / f"x.{kind}"
        (frame.write_csv if kind == "csv" else frame.write_parquet)(source)
    with pytest.raises(DataError, match=r"looks like a matrix.* frame\.melt\(id_vars=frame\.columns\[0\]") as error:
        sources.read(source)
    assert "\n" not in str(error.value)
    melted = frame.to_pandas().melt(id_vars=frame.columns[0], var_name="item", value_name="rating").dropna()
    log = sources.read(melted.set_axis(["user", "item", "rating"], axis=1), time="none")
    assert len(log) == sum(cell is not None for cell in RATINGS.ravel())


@pytest.mark.parametrize("cells", [RATINGS == 5, np.where(RATINGS == 5, "t", ""), RNG.integers(0, 2, (30, 40))])
def test_truths_and_counts_are_cells_too(cells: np.ndarray) -> None:
    assert matrix.advice(_frame(NAMES["words"], cells=cells), ("user_id",))


def test_a_pivot_of_pandas_is_told(tmp_path: Path) -> None:
    long = pd.DataFrame({"user": [1, 1, 2, 3] * 6, "item": range(24), "stars": [1.0, 5.0, 3.0, 2.0] * 6})
    with pytest.raises(DataError, match="looks like a matrix"):
        sources.read(long.pivot(index="user", columns="item", values="stars"))


def test_a_table_without_a_header_may_be_a_matrix_or_sequences(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    np.savetxt(path, RNG.integers(0, 2, (30, 40)), fmt="%d", delimiter=",")
    with pytest.raises(DataError, match=r"looks like a matrix.*--format sequences.*--user 1 --item 2"):
        sources.read(path)


@pytest.mark.parametrize(
    "columns",
    [
        {"price": [1.5e3] * 30, **{f"f{k}": [k] * 30 for k in range(9)}},  # few small ones
        {f"f{k}": [f"{k}"] * 29 + ["word"] for k in range(40)},
        {f"f{k}": [1_700_000_000 + k] * 30 for k in range(40)},
        {f"f{k}": [k] * 30 for k in range(20)} | {f"g{k}": ["word"] * 30 for k in range(2)},
    ],
)
def test_other_wide_tables_are_none(columns: dict[str, list[object]]) -> None:
    assert matrix.advice(pl.DataFrame({"user": USERS, **columns}), ("user",)) == ""
