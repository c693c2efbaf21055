"""EASE against the closed form in dense NumPy and against one ridge regression an item."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.contracts import Catalog, Events
from recollect.counting import scoring
from recollect.models.ease import EASE

from ..counting.material import SIZE, Rows, last_distinct, ragged, rows_of_items

penalties = st.sampled_from([0.5, 3.0, 100.0])


def fitted(rows: Rows, **settings: float) -> EASE:
    model = EASE(EASE.Config(**settings), Catalog(SIZE))
    model.fit(ragged(rows))
    return model


def met(rows: Rows) -> np.ndarray:
    return np.array([[float(item in row) for item in range(SIZE)] for row in rows])


@given(rows_of_items, penalties)
def test_weights_are_the_closed_form(rows: Rows, l2: float) -> None:
    inverse = np.linalg.inv(met(rows).T @ met(rows) + l2 * np.eye(SIZE))
    expected = np.eye(SIZE) - inverse @ np.diag(1 / np.diag(inverse))
    assert np.allclose(fitted(rows, l2=l2).tensors()["weights"].numpy(), expected, atol=1e-5)


@given(rows_of_items, penalties)
def test_each_item_is_a_ridge_regression_on_all_the_others(rows: Rows, l2: float) -> None:
    weights, matrix = fitted(rows, l2=l2).tensors()["weights"].numpy(), met(rows)
    for item in range(SIZE):
        others = np.delete(matrix, item, axis=1)
        solved = np.linalg.solve(others.T @ others + l2 * np.eye(SIZE - 1), others.T @ matrix[:, item])
        assert np.allclose(np.delete(weights[:, item], item), solved, atol=1e-5)
        assert weights[item, item] == 0


@given(rows_of_items, st.sampled_from([1.0, 0.6]))
def test_scores_are_weighted_sums_of_rows(asked: Rows, decay: float) -> None:
    model = fitted([list(range(1, SIZE)), [1, 2, 3], [2, 3, 5], [4, 6]], l2=1.0, decay=decay, history=4)
    weights = model.tensors()["weights"].numpy()
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked))).numpy()
    for row, found in zip(asked, scores, strict=True):
        kept = last_distinct(row, 4)
        expected = sum(decay**age * weights[item] for age, item in enumerate(reversed(kept)))
        assert not kept or np.allclose(found[1:], expected[1:], rtol=1e-4, atol=1e-6)


def test_blocks_of_items_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [np.random.default_rng(user).integers(1, SIZE, 6).tolist() for user in range(10)]
    whole = fitted(rows).tensors()["weights"]
    monkeypatch.setattr(scoring, "CELLS", 2 * SIZE)
    assert torch.equal(whole, fitted(rows).tensors()["weights"])


def test_too_large_a_catalogue_is_refused_before_any_matrix_is_made() -> None:
    with pytest.raises(ConfigError, match=r"ease needs 120.0 GB for the pairs of 99,999 items, and 8 are .* itemknn"):
        EASE(EASE.Config(), Catalog(100_000))
    EASE(EASE.Config(memory_limit=1.3), Catalog(10_000))
