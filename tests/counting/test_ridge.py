"""Rows of weighted ridge regressions against the normal equations written out, one dense row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recollect.counting import scoring
from recollect.counting.ridge import padded, ridge


def material(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights [7 6] of 0 to 1, the first row of none, and a table [6 3]."""
    draw = np.random.default_rng(seed)
    weights = draw.random((7, 6)) * (draw.random((7, 6)) < 0.5)
    weights[0] = 0
    return weights, draw.standard_normal((6, 3))


def loss(x: np.ndarray, weights: np.ndarray, table: np.ndarray, confidence: float, l2: float) -> float:
    gap = x @ table.T
    return float(((1 + confidence) * weights * (1 - gap) ** 2 + (1 - weights) * gap**2).sum() + l2 * (x**2).sum())


@pytest.mark.parametrize("cells", [1, 40, 1 << 20])
def test_it_is_the_dense_solution(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(scoring, "CELLS", cells)
    weights, table = material()
    found = ridge(sp.csr_array(weights), table, confidence=4.0, l2=0.3)
    for row, x in zip(weights, found, strict=True):
        trust = (1 + 4.0) * row + (1 - row)
        expected = np.linalg.solve(table.T @ np.diag(trust) @ table + 0.3 * np.eye(3), table.T @ ((1 + 4.0) * row))
        assert np.allclose(x, expected, rtol=1e-5, atol=1e-7)


def test_it_is_where_the_loss_is_least() -> None:
    weights, table = material(1)
    found = ridge(sp.csr_array(weights), table, confidence=2.0, l2=0.1)
    draw = np.random.default_rng(2)
    for row, x in zip(weights, found, strict=True):
        least = loss(x, row, table, 2.0, 0.1)
        assert all(loss(x + 1e-3 * draw.standard_normal(3), row, table, 2.0, 0.1) > least for _ in range(10))


def test_padding_weighs_nothing() -> None:
    columns, weights = padded(sp.csr_array(np.array([[0, 0, 0], [0.5, 0, 2], [0, 1, 0]])))
    assert columns.tolist() == [[0, 0], [0, 2], [1, 0]]
    assert weights.tolist() == [[0, 0], [0.5, 2], [1, 0]]
