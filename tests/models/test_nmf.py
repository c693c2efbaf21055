"""Non-negative factors: the loss never rises, the update is the plain one, folding in is non-negative least squares."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
import torch

from recollect.contracts import Catalog, Events
from recollect.models.nmf import NMF, start, sweep

from ..counting.material import SIZE, ragged


def log(users: int = 20, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((users, SIZE)) < 0.4).astype(np.float64)


def loss(matrix: np.ndarray, users: np.ndarray, items: np.ndarray, l2: float) -> float:
    return float(((matrix - users.T @ items) ** 2).sum() + l2 * ((users**2).sum() + (items**2).sum())) / 2


@pytest.mark.parametrize("l2", [0.0, 0.7])
def test_the_loss_never_rises_and_nothing_is_negative(l2: float) -> None:
    matrix = log()
    users, items = start(sp.csr_array(matrix), 4, np.random.default_rng(0))
    losses = [loss(matrix, users, items, l2)]
    for _ in range(30):
        for mine, other, target in ((users, items, matrix), (items, users, matrix.T)):
            sweep(mine, other @ target.T, other @ other.T, l2)
            losses.append(loss(matrix, users, items, l2))
            assert (mine >= 0).all()
    assert np.diff(losses).max() <= 1e-12 and losses[-1] < 0.8 * losses[1]


def test_a_sweep_is_the_update_written_out() -> None:
    matrix, l2 = log(), 0.3
    users, items = start(sp.csr_array(matrix), 3, np.random.default_rng(1))
    plain = users.copy()
    for part in range(3):
        for user in range(len(matrix)):
            others = sum(plain[k, user] * items[k] for k in range(3) if k != part)
            best = items[part] @ (matrix[user] - others) / (items[part] @ items[part] + l2)
            plain[part, user] = max(0.0, best)
    sweep(users, items @ matrix.T, items @ items.T, l2)
    assert np.allclose(users, plain)


def test_a_part_nobody_has_stays_empty() -> None:
    users = np.ones((2, 3))
    sweep(users, np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0]]), 0.0)
    assert users.tolist() == [[1, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_folding_in_ends_at_non_negative_least_squares(l2: float) -> None:
    rows = [np.flatnonzero(row)[1:].tolist() for row in log(30) if row[1:].sum() > 1]
    model = NMF(NMF.Config(width=3, fold_rounds=300, l2=l2, decay=0.9), Catalog(SIZE))
    model.fit(ragged(rows))
    items = model.tensors()["items"].numpy()
    assert (items >= 0).all() and items[:, 1:].any()
    scores = model.score(model.advance(model.fresh(len(rows)), Events.of(rows))).numpy()
    for row, found in zip(rows, scores, strict=True):
        wanted = np.zeros(SIZE + 3)  # the penalty as three more equations
        wanted[row[::-1]] = 0.9 ** np.arange(len(row))
        best, _ = scipy.optimize.nnls(np.vstack([items.T.astype(float), l2**0.5 * np.eye(3)]), wanted)
        assert np.allclose(found[1:], (best @ items)[1:], atol=1e-4)


def test_the_seed_decides_where_it_ends() -> None:
    rows = [np.flatnonzero(row)[1:].tolist() for row in log()]
    ends = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = NMF(NMF.Config(width=3, rounds=3, l2=0), Catalog(SIZE))
        model.fit(ragged(rows))
        ends.append(model.tensors()["items"].numpy())
    assert np.array_equal(ends[0], ends[1]) and not np.allclose(ends[0], ends[2])
