"""PureSVD: users and items in the space of the largest singular vectors of who met what.

Source: Cremonesi, Koren & Turrin 2010, "Performance of recommender algorithms on top-N recommendation tasks".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from scipy.sparse.linalg import svds

from recollect.counting.folding import Factorisation, FoldInSettings

_NOTHING = 1e-6
"""A singular value below this share of the largest is rounding: its vector is arbitrary, and is left out."""


class SVD(Factorisation):
    """Scores are the user's row x projected on the leading right singular vectors V of the matrix: x V V'.

    The matrix holds ones and zeros where the source has ratings: a log of events has none.
    """

    class Config(FoldInSettings):
        width: int = Field(64, ge=1)
        """How many singular vectors are kept (fewer where the matrix has fewer)."""

    seeded = False
    config: Config

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"items": (self.catalog.size, self.config.width)}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        vectors = leading(matrix, self.config.width)
        items = np.zeros(self.shapes()["items"])
        items[:, : vectors.shape[1]] = vectors
        return {"items": items}

    def fold(self, rows: sp.csr_array) -> np.ndarray:
        return rows @ self.table("items")


def leading(matrix: sp.csr_array, width: int) -> np.ndarray:
    """[V k]: the right singular vectors of the at most `width` largest singular values."""
    shorter = min(matrix.shape)
    if matrix.nnz == 0:
        return np.zeros((matrix.shape[1], 0))
    if width < shorter:
        start = np.random.default_rng(0).standard_normal(shorter)  # else every run begins somewhere else
        _, values, vectors = svds(matrix, k=width, v0=start)
    else:  # the sparse solver finds all but one
        _, values, vectors = np.linalg.svd(matrix.toarray(), full_matrices=False)
    return vectors[values > _NOTHING * values.max()].T
