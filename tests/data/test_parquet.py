"""Columns to a file and back: whole or not at all, in one piece or block by block."""

from __future__ import annotations

import os

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import DataError
from recollect.data.parquet import read_columns, write_blocks, write_columns


def block(start: int, rows: int) -> dict[str, np.ndarray]:
    numbers = np.arange(start, start + rows)
    return {"n": numbers, "x": numbers.astype(np.float32) / 3, "t": np.array([f"ü{n}" for n in numbers], dtype=object)}


def assert_same(columns, expected):
    assert list(columns) == list(expected)
    for name, column in columns.items():
        assert column.dtype == expected[name].dtype
        assert column.tolist() == expected[name].tolist()


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_blocks_read_back_as_one_table_in_order(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("parquet") / "deep" / "t.parquet"
    starts = np.cumsum([0, *sizes])
    rows = write_blocks(path, (block(a, n) for a, n in zip(starts, sizes, strict=False)), {"who": "m[e]*"})
    columns, metadata = read_columns(path)
    assert rows == sum(sizes)
    assert_same(columns, block(0, sum(sizes)))
    assert metadata["who"] == "m[e]*"
    assert [entry.name for entry in path.parent.iterdir()] == ["t.parquet"]


def test_other_programs_read_it(tmp_path):
    write_columns(tmp_path / "a[1]*.parquet", block(0, 3), {"key": "value"})
    table = pq.read_table(tmp_path / "a[1]*.parquet")
    assert table.to_pydict()["t"] == ["ü0", "ü1", "ü2"]
    assert pq.read_metadata(tmp_path / "a[1]*.parquet").metadata[b"key"] == b"value"
    assert_same(read_columns(tmp_path / "a[1]*.parquet")[0], block(0, 3))


def test_a_failure_halfway_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "t.parquet"
    write_columns(path, block(0, 2), {})

    def failing():
        yield block(0, 5)
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_blocks(path, failing(), {})
    assert_same(read_columns(path)[0], block(0, 2))
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_or_read_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_columns(tmp_path / "file" / "t.parquet", block(0, 1), {})
    with pytest.raises(DataError, match="no such file"):
        read_columns(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_columns(tmp_path / "file")
    with pytest.raises(ValueError, match="nothing to write"):
        write_blocks(tmp_path / "t.parquet", [], {})
    with pytest.raises(ValueError, match="differ in length"):
        write_columns(tmp_path / "t.parquet", {"a": np.arange(2), "b": np.arange(3)}, {})
    assert (tmp_path / "file").read_text() == "in the way"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_is_no_file_is_never_put_aside(tmp_path):
    """A rename would replace a device by the table, where the user may do so."""
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(DataError, match="is there already, and is no file"):
            write_columns(path, block(0, 1), {})
    assert pipe.is_fifo() and folder.is_dir() and sorted(tmp_path.iterdir()) == [folder, pipe]
