"""EASE: every item as a linear sum of the others, solved in closed form. Shallow, and hard to beat on sets of items.

Source: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data": B = I - P diag(1 / diag P) with
P = (X'X + l2 I)^-1, X being who met what.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from pydantic import Field

from recollect.config import ConfigError
from recollect.contracts import Catalog
from recollect.counting.folding import FoldIn, FoldInSettings
from recollect.counting.scoring import rows_at_once

_PAIR_BYTES = 12
"""Memory at its highest for each pair of items: the Gram matrix in fp64, inverted in place, and the weights in fp32."""


class EASE(FoldIn):
    """Scores b by the sum of weights B[a, b] over a user's items a; B has a diagonal of zeros.

    Each column of B is the ridge regression of its item on all the others. An item never seen has no weights.
    """

    class Config(FoldInSettings):
        l2: float = Field(500.0, ge=0.001)
        """The ridge penalty: the higher, the more users must agree before an item predicts another."""
        memory_limit: float = Field(8.0, gt=0)
        """Refuse catalogues whose matrices need more than so many GB: 12 bytes a pair of items, 8 GB for 25,800."""

    seeded = False
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        gigabytes = _PAIR_BYTES * catalog.size**2 / 1e9
        if gigabytes > config.memory_limit:
            raise ConfigError(
                f"model.memory_limit: ease needs {gigabytes:.1f} GB for the pairs of {catalog.size - 1:,} items, and "
                f"{config.memory_limit:g} are allowed; raise it where there is memory, or take itemknn, markov, svd or "
                "pmf, which keep no table of all pairs"
            )
        super().__init__(config, catalog)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"weights": (self.catalog.size, self.catalog.size)}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        gram = together(matrix)
        gram[np.diag_indices_from(gram)] += self.config.l2
        inverse = inverse_in_place(gram)
        weights = np.divide(inverse, -np.diag(inverse), out=inverse)  # column b by -P[b, b]
        np.fill_diagonal(weights, 0)
        return {"weights": weights}

    def answer(self, rows: sp.csr_array) -> np.ndarray:
        return rows @ self.table("weights")

    @property
    def likeness(self) -> str:
        return "weight of this item in the score of the other"

    def alike(self, item: int) -> np.ndarray:
        return self.table("weights")[item]


def together(matrix: sp.csr_array) -> np.ndarray:
    """matrix [U V] -> X'X [V V] fp64, a block of rows at a time: the sparse product would take more than the dense."""
    met_by = matrix.T.tocsr()
    gram = np.empty((matrix.shape[1], matrix.shape[1]))
    block = rows_at_once(matrix.shape[1])
    for start in range(0, len(gram), block):
        gram[start : start + block] = (met_by[start : start + block] @ matrix).toarray()
    return gram


def inverse_in_place(gram: np.ndarray) -> np.ndarray:
    """The inverse of a symmetric positive definite [V V] fp64, as fp32; `gram` is used up."""
    factor = scipy.linalg.cholesky(gram.T, lower=True, overwrite_a=True, check_finite=False)
    half, _ = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)  # on and below the diagonal
    inverse = half.astype(np.float32, order="C")
    for item in range(len(inverse)):  # row by row, for want of room for another matrix
        inverse[item, item + 1 :] = inverse[item + 1 :, item]
    return inverse
