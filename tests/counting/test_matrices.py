"""Matrices of who met what against loops, and their round trip through tensors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recollect.counting.matrices import counted, counts_of, expect_names, from_tensors, keep_largest, met, to_tensors

from .material import SIZE, Rows, ragged, rows_of_items


@given(rows_of_items)
def test_met_is_one_however_often(rows: Rows) -> None:
    expected = np.zeros((len(rows), SIZE))
    for user, row in enumerate(rows):
        expected[user, row] = 1
    assert np.array_equal(met(ragged(rows), SIZE).toarray(), expected)


@given(rows_of_items)
def test_counts_are_how_often(rows: Rows) -> None:
    expected = np.array([np.bincount(row, minlength=SIZE) if row else np.zeros(SIZE) for row in rows])
    padded = np.array([row[:2] + [0] * (13 - len(row)) + row[2:] for row in rows])  # padding in the middle
    for found in (counted(ragged(rows), SIZE), counts_of(padded, SIZE)):
        assert np.array_equal(found.toarray(), expected)
        assert (found.data > 0).all() and found.has_canonical_format


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_largest_of_each_row_are_kept(keep: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    dense = draw.integers(0, 4, (5, 7)).astype(np.float64)  # ties on purpose
    kept = keep_largest(sp.csr_array(dense), keep).toarray()
    for row, found in zip(dense, kept, strict=True):
        best = sorted((column for column in range(7) if row[column]), key=lambda column: (-row[column], column))[:keep]
        assert {column: row[column] for column in best} == {c: found[c] for c in range(7) if found[c]}


def test_a_matrix_survives_as_tensors() -> None:
    matrix = keep_largest(sp.csr_array(np.random.default_rng(0).random((4, 6))), 3)
    tensors = to_tensors("similar", matrix)
    back = from_tensors("similar", tensors, (4, 6))
    assert np.array_equal(back.toarray(), matrix.toarray()) and back.dtype == np.float32
    for shape in ((5, 6), (4, 2)):
        with pytest.raises(ValueError, match="similar"):
            from_tensors("similar", tensors, shape)


def test_names_must_be_exact() -> None:
    tensors = to_tensors("a", sp.csr_array((2, 2), dtype=np.float32))
    expect_names("model", tensors, list(tensors))
    with pytest.raises(ValueError, match="model: expected"):
        expect_names("model", tensors, [*tensors, "more"])
