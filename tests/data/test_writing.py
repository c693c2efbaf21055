"""Tables in three forms: each is read back by another program, value for value, and a failure leaves nothing behind."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.data.log import DataError
from recollect.data.writing import ENDINGS, checked_ending, write_blocks

TEXT = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(['"', "a,b", "\r", "\n", " x ", "", "#", "0012", "NaN", "null"]),
)
SMALL = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROW = st.tuples(st.integers(-(2**63), 2**63 - 1), TEXT, SMALL, st.floats(allow_nan=False, allow_infinity=False))


def columns(rows: list[Any]) -> dict[str, np.ndarray]:
    whole, text, small, large = zip(*rows, strict=True) if rows else ([], [], [], [])
    words = np.empty(len(text), dtype=object)
    words[:] = text
    pairs = np.stack([np.array(small, np.float32)] * 2, axis=1)
    return {
        "whole": np.array(whole, np.int64),
        "a,text": words,
        "small": np.array(small, np.float32),
        "large": np.array(large, np.float64),
        "pair": pairs,
    }


def read_back(path: Path) -> list[tuple[Any, ...]]:
    """Rows as (whole, text, small, large, pair) by programs that are none of ours."""
    if path.suffix == ".parquet":
        return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
    if path.suffix == ".jsonl":
        return [tuple(json.loads(line).values()) for line in path.read_text(encoding="utf-8").split("\n") if line]
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["whole", "a,text", "small", "large", "pair_0", "pair_1"]
    return [(int(w), t, float(s), float(g), [float(a), float(b)]) for w, t, s, g, a, b in rows]


@pytest.mark.parametrize("ending", ENDINGS)
@given(rows=st.lists(ROW, max_size=12), cut=st.integers(0, 12))
def test_every_form_reads_back_value_for_value(tmp_path_factory, ending, rows, cut):
    path = tmp_path_factory.mktemp("written") / "deep" / f"t{ending}"
    blocks = [columns(rows[:cut]), columns(rows[cut:])]
    assert write_blocks(path, iter(blocks), {"who": "m"}) == len(rows)
    nothing = "" if ending == ".csv" else None
    for found, given_row in zip(read_back(path), rows, strict=True):
        whole, text, small, large, pair = found
        assert whole == given_row[0] and text == (nothing if given_row[1] is None else given_row[1])
        assert np.float32(small) == np.float32(given_row[2]) and large == given_row[3]
        assert np.array_equal(np.float32(pair), np.float32([given_row[2]] * 2))
    assert list(path.parent.iterdir()) == [path]


def test_a_parquet_file_keeps_what_is_said_about_it(tmp_path):
    write_blocks(tmp_path / "T.PARQUET", [columns([])], {"who": "m"})
    assert pq.read_metadata(tmp_path / "T.PARQUET").metadata[b"who"] == b"m"


def test_numbers_that_are_not_finite_are_null_in_json_which_has_no_word_for_them(tmp_path):
    write_blocks(tmp_path / "t.jsonl", [{"x": np.array([np.nan, -np.inf, 1.5])}])
    assert (tmp_path / "t.jsonl").read_text() == '{"x":null}\n{"x":null}\n{"x":1.5}\n'


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz", ".csv"])
def test_another_ending_is_refused_before_anything_is_taken(tmp_path, name):
    def never() -> Any:
        raise AssertionError
        yield

    with pytest.raises(ConfigError, match=r"chosen by it: \.csv, \.jsonl or \.parquet"):
        write_blocks(tmp_path / name, never())
    with pytest.raises(ConfigError, match=r"\.npy or \.csv"):
        checked_ending(name, (".npy", ".csv"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_halfway_leaves_the_old_file_and_nothing_else(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    path.write_text("old")

    def failing():
        yield columns([(1, "a", 0.5, 0.5)])
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_blocks(path, failing())
    with pytest.raises(ValueError, match="nothing to write"):
        write_blocks(path, [])
    with pytest.raises(ValueError, match="differ in length"):
        write_blocks(path, [{"a": np.arange(2), "b": np.arange(3)}])
    with pytest.raises(DataError, match=r"'\\udce9' is no text"):
        write_blocks(path, [{"a": np.array(["\udce9"], dtype=object)}])
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_file_is_never_put_aside(tmp_path, ending):
    pipe = tmp_path / f"pipe{ending}"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="is there already, and is no file"):
        write_blocks(pipe, [columns([])])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_blocks(tmp_path / "file" / f"t{ending}", [columns([])])


FULL = """
import resource, signal, sys
import numpy as np
from recollect.data.log import DataError
from recollect.data.writing import write_blocks
import polars
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).normal(size=50_000)
try:
    write_blocks(sys.argv[1], [{"x": noise}, {"x": noise}])
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes on this system")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "cannot be written" in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    full = OSError(28, "No space left on device")

    def never(*_: Any, **__: Any) -> None:
        raise full

    monkeypatch.setattr("tempfile.mkdtemp", never)
    with pytest.raises(DataError, match="the disk is full"):
        write_blocks(tmp_path / "t.csv", [columns([])])
