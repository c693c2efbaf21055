"""NMF: who met what as a sum of non-negative parts, each a group of users and a group of items.

Source: Cichocki & Phan 2009, "Fast local algorithms for large scale nonnegative matrix and tensor factorizations":
hierarchical alternating least squares.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from recollect.counting.draws import draw_generator
from recollect.counting.folding import Factorisation, FoldInSettings


class NMF(Factorisation):
    """X ~ W'H with W [D U] and H [D V] not negative, least squares; scores are w'H with w folded in, H as it is."""

    class Config(FoldInSettings):
        width: int = Field(128, ge=1)
        """How many parts."""
        rounds: int = Field(50, ge=1)
        """How often users and items are fitted to each other."""
        l2: float = Field(10.0, ge=0)
        """Penalty on the squares of both factors, in folding in too; the plain factorisation has none."""
        fold_rounds: int = Field(20, ge=1)
        """How many sweeps over its parts fold a user in."""

    config: Config

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"items": (self.config.width, self.catalog.size)}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        met = matrix.astype(np.float32)
        met_by = met.T.tocsr()
        users, items = start(met, self.config.width, draw_generator())
        for _ in range(self.config.rounds):
            sweep(users, (met @ items.T).T, items @ items.T, self.config.l2)
            sweep(items, (met_by @ users.T).T, users @ users.T, self.config.l2)
        return {"items": items}

    def fold(self, rows: sp.csr_array) -> np.ndarray:
        items = self.table("items")
        users = np.zeros((self.config.width, rows.shape[0]), np.float32)
        target, gram = np.ascontiguousarray((rows @ items.T).T), items @ items.T
        for _ in range(self.config.fold_rounds):
            sweep(users, target, gram, self.config.l2)
        return users.T

    def item_vectors(self) -> Tensor:
        return torch.from_numpy(self.table("items").T)


def start(matrix: sp.csr_array, width: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random factors [D U] and [D V] whose product has the mean of the matrix [U V]."""
    mean = matrix.sum() / max(1, matrix.shape[0] * matrix.shape[1])
    scale = 2 * np.sqrt(mean / width)  # uniform from 0 to this: the mean of a product is mean / width
    users, items = (scale * draw.random((width, count)) for count in matrix.shape)
    return users.astype(matrix.dtype), items.astype(matrix.dtype)


def sweep(factors: np.ndarray, target: np.ndarray, gram: np.ndarray, l2: float) -> None:
    """Set each part in turn to its best, the others as they are; `factors` [D n] change in place.

    With the other side's factors F [D m] and the matrix M [n m]: target = F M' [D n], gram = F F' [D D].
    """
    for part in range(len(factors)):
        curvature = gram[part, part] + l2
        if curvature <= 0:  # a part nobody has: the other side's row is all zeros
            factors[part] = 0
            continue
        missing = target[part] - gram[part] @ factors + gram[part, part] * factors[part]
        np.maximum(missing / curvature, 0, out=factors[part])
