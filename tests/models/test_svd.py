"""PureSVD against NumPy's dense decomposition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Catalog, Events
from recollect.models.svd import SVD, leading

from ..counting.material import SIZE, Rows, ragged, rows_of_items


def projection(matrix: np.ndarray, width: int) -> np.ndarray:
    """[V V]: on the leading right singular vectors, those of singular value 0 left out."""
    _, values, vectors = np.linalg.svd(matrix, full_matrices=False)
    kept = vectors[:width][values[:width] > 1e-9]
    return kept.T @ kept


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
@pytest.mark.parametrize("width", [1, 5, 11, 12, 40])
def test_the_space_is_that_of_the_dense_decomposition(shape: tuple[int, int], width: int) -> None:
    dense = (np.random.default_rng(0).random(shape) < 0.4).astype(np.float64)
    found = leading(sp.csr_array(dense), width)
    assert np.allclose(found @ found.T, projection(dense, width), atol=1e-8)


@pytest.mark.parametrize("width", [3, 6, 12])
def test_directions_without_substance_are_left_out(width: int) -> None:
    dense = np.zeros((12, 10))
    dense[:6, :4] = dense[6:, 4:7] = 1  # two groups: rank 2
    found = leading(sp.csr_array(dense), width)
    assert found.shape == (10, 2) and np.allclose(found @ found.T, projection(dense, 2))


@given(rows_of_items, rows_of_items, st.integers(1, SIZE))
def test_scores_are_projected_rows(rows: Rows, asked: Rows, width: int) -> None:
    model = SVD(SVD.Config(width=width, decay=1.0), Catalog(SIZE))
    model.fit(ragged(rows))
    matrix = np.array([[float(item in row) for item in range(SIZE)] for row in rows])
    values = np.append(np.linalg.svd(matrix, compute_uv=False), 0.0)
    if width < len(values) and values[width - 1] - values[width] < 1e-3 * values[0]:
        return  # the last vector that is kept is any of several
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked))).numpy()
    for row, found in zip(asked, scores, strict=True):
        known = sorted({item for item in row if matrix[:, item].any()})
        expected = projection(matrix, width)[known].sum(0)
        assert not known or np.allclose(found[1:], expected[1:], atol=1e-5)


def test_fitting_twice_gives_the_same_bits() -> None:
    matrix = sp.csr_array((np.random.default_rng(1).random((50, 40)) < 0.3).astype(np.float64))
    assert np.array_equal(leading(matrix, 7), leading(matrix, 7))
