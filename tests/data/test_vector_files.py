"""Vectors in files: what NumPy and others read back is what was written, row by row with its id."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recollect.config import ConfigError
from recollect.data.frame import Frame
from recollect.data.log import DataError
from recollect.data.vector_files import VECTOR_ENDINGS, write_vectors

TABLE = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
BIAS = np.array([0.5, -1.0, 1 / 3], np.float32)
TEXT, NUMBERS = np.array(["é 1", "b,c", "0"], dtype=object), np.array([7, -1, 2**60])


def read(path: Path, number: bool) -> tuple[list[object], np.ndarray, np.ndarray]:
    """ids, vectors and bias, as another program would read them."""
    if path.suffix == ".npy":
        lines = path.with_suffix(".ids.txt").read_text(encoding="utf-8").splitlines()
        bias = np.load(path.with_suffix(".bias.npy"))
        return [int(one) if number else one for one in lines], np.load(path), bias
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return file["ids"].tolist(), file["vectors"], file["bias"]
    if path.suffix == ".csv":
        table = pl.read_csv(path, schema_overrides={"item": pl.Int64 if number else pl.String})
        return table["item"].to_list(), table.select("^vector_.*$").to_numpy(), table["bias"].to_numpy()
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [one["item"] for one in rows], np.array([r["vector"] for r in rows]), np.array([r["bias"] for r in rows])
    table = pl.read_parquet(path)
    return table["item"].to_list(), np.stack(table["vector"].to_list()), table["bias"].to_numpy()


@pytest.mark.parametrize("ids", [TEXT, NUMBERS], ids=["text", "numbers"])
@pytest.mark.parametrize("ending", VECTOR_ENDINGS)
def test_vectors_read_back_with_their_ids(tmp_path: Path, ending: str, ids: np.ndarray) -> None:
    path = tmp_path / f"v{ending}"
    written = write_vectors(path, Frame({"item": ids, "vector": TABLE, "bias": BIAS}))
    assert sorted(written) == sorted(tmp_path.iterdir()) and written[0] == path
    found, table, bias = read(path, ids.dtype != object)
    assert found == ids.tolist()
    assert np.array_equal(np.float32(table), TABLE) and np.array_equal(np.float32(bias), BIAS)


def test_what_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    frame = Frame({"item": np.array(["a\nb"], dtype=object), "vector": TABLE[:1]})
    with pytest.raises(DataError, match=r"not one line, as v.ids.txt needs; write .parquet"):
        write_vectors(tmp_path / "v.npy", frame)
    with pytest.raises(ConfigError, match=r"\.npy, \.npz, \.csv, \.jsonl or \.parquet"):
        write_vectors(tmp_path / "v.pt", frame)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        write_vectors(tmp_path / "file" / "v.npz", frame)
