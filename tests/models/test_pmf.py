"""PMF: it ends where both sides satisfy their normal equations; folding in is the dense weighted ridge regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recollect.contracts import Catalog, Events
from recollect.models.pmf import PMF

from ..counting.material import SIZE, Rows, last_distinct, ragged


def log(users: int = 25) -> Rows:
    draw = np.random.default_rng(0)
    return [draw.integers(1, SIZE - 1, draw.integers(1, 8)).tolist() for _ in range(users)]


def fitted(rows: Rows, **settings: float) -> PMF:
    torch.manual_seed(0)
    model = PMF(PMF.Config(width=3, **settings), Catalog(SIZE))
    model.fit(ragged(rows))
    return model


def dense_ridge(weights: np.ndarray, table: np.ndarray, confidence: float, l2: float) -> np.ndarray:
    trust = 1 + confidence * weights
    left = table.T @ np.diag(trust) @ table + l2 * np.eye(table.shape[1])
    return np.linalg.solve(left, table.T @ ((1 + confidence) * weights))


def test_it_ends_where_the_normal_equations_hold() -> None:
    rows, confidence, l2 = log(), 3.0, 0.5
    items = fitted(rows, rounds=400, confidence=confidence, l2=l2).tensors()["items"].numpy().astype(np.float64)
    matrix = np.array([[float(item in row) for item in range(SIZE)] for row in rows])
    users = np.array([dense_ridge(row, items, confidence, l2) for row in matrix])
    again = np.array([dense_ridge(column, users, confidence, l2) for column in matrix.T])
    assert np.abs(items).max() > 0.1 and np.allclose(again, items, atol=1e-4)


def test_each_round_lowers_the_loss() -> None:
    rows, confidence, l2 = log(), 3.0, 0.5
    matrix = np.array([[float(item in row) for item in range(SIZE)] for row in rows])
    losses = []
    for rounds in (1, 2, 4, 8, 16):
        items = fitted(rows, rounds=rounds, confidence=confidence, l2=l2).tensors()["items"].numpy().astype(float)
        users = np.array([dense_ridge(row, items, confidence, l2) for row in matrix])
        errors = (1 + confidence * matrix) * (matrix - users @ items.T) ** 2
        losses.append(errors.sum() + l2 * ((users**2).sum() + (items**2).sum()))
    assert (np.diff(losses) < 0).all()


@pytest.mark.parametrize("decay", [1.0, 0.7])
def test_folding_in_is_the_dense_ridge_regression(decay: float) -> None:
    model = fitted(log(), decay=decay, history=4)
    items = model.tensors()["items"].numpy().astype(np.float64)
    asked = [[3, 1, 3, 2], [7], [1, 2, 3, 4, 5, 6]]
    scores = model.score(model.advance(model.fresh(3), Events.of(asked))).numpy()
    for row, found in zip(asked, scores, strict=True):
        weights = np.zeros(SIZE)
        for age, item in enumerate(reversed(last_distinct(row, 4))):
            weights[item] = decay**age
        expected = items @ dense_ridge(weights, items, model.config.confidence, model.config.l2)
        assert np.allclose(found[1:], expected[1:], rtol=1e-3, atol=1e-6)


def test_an_item_nobody_met_has_no_vector() -> None:
    assert not fitted(log()).tensors()["items"][SIZE - 1].any()
