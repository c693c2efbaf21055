"""Sparse similarities against dense brute force, on every pair that has something in common and on no other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recollect.counting.similarity import MEASURES as SPARSE
from recollect.counting.similarity import Profiles

from .brute import MEASURES, alike

each_measure = pytest.mark.parametrize("measure", MEASURES)


def counts(rows: int, features: int, seed: int, most: int = 6) -> np.ndarray:
    """Random event counts, a fifth of the cells above zero, some large; an empty row, a constant and a full one."""
    draw = np.random.default_rng(seed)
    dense = draw.integers(1, most, (rows, features)) * (draw.random((rows, features)) < 0.2)
    dense[draw.integers(0, rows, 2), draw.integers(0, features, 2)] = 300
    dense[1], dense[2], dense[3] = 0, 2, draw.integers(1, most, features)
    return dense.astype(np.float64)


def profiles(dense: np.ndarray, measure: str, shrink: float = 0.0, smoothing: float = 0.1) -> Profiles:
    return Profiles(sp.csr_array(dense), measure, dense.shape[1], shrink, smoothing)


def test_every_measure_is_tried() -> None:
    assert set(MEASURES) == set(SPARSE)


@each_measure
@pytest.mark.parametrize("shrink", [0.0, 2.5])
@pytest.mark.parametrize("seed", range(3))
def test_sparse_is_dense_brute_force(measure: str, shrink: float, seed: int) -> None:
    asked, known = counts(30, 50, seed), counts(40, 50, seed + 100)
    smoothing = [0.01, 0.1, 3.0][seed]
    found = profiles(asked, measure, shrink, smoothing).similar(profiles(known, measure, shrink, smoothing)).tocoo()
    row, column = found.coords
    table = np.full(found.shape, np.nan)
    table[row, column] = found.data  # entries of zero too
    expected = np.array([[alike(measure, x, y, shrink, smoothing) for y in known] for x in asked])
    assert 300 < np.isfinite(expected).sum() < expected.size
    assert np.array_equal(np.isfinite(table), np.isfinite(expected))
    assert np.nanmax(np.abs(table - expected)) < 1e-6


@each_measure
def test_a_row_is_most_like_itself(measure: str) -> None:
    rows = profiles(counts(30, 50, 7), measure)
    alone = rows.similar(rows).toarray()
    kept = np.delete(np.arange(30), [1, 2])  # nothing met; the same everywhere, which correlates with nothing
    assert np.allclose(alone.diagonal()[kept], 1)
    assert (alone <= 1 + 1e-12).all()


@each_measure
def test_parts_change_no_bit_and_work_bounds_the_pairs(measure: str) -> None:
    asked, known = profiles(counts(30, 50, 1), measure, 1.0), profiles(counts(40, 50, 2), measure, 1.0)
    whole, work = asked.similar(known), asked.work(known)
    assert (np.diff(whole.indptr) <= work).all() and (work <= 40).all()
    for start in range(0, 30, 7):
        rows = slice(start, start + 7)
        assert np.array_equal(whole[rows].toarray(), asked.part(rows).similar(known).toarray())


def test_nothing_known_is_nobody_alike() -> None:
    for measure in MEASURES:
        found = profiles(counts(5, 8, 0), measure).similar(profiles(np.zeros((0, 8)), measure))
        assert found.shape == (5, 0)
