"""PMF: user and item vectors with Gaussian priors, fitted to who met what, an event weighing more than its absence.

Sources: Salakhutdinov & Mnih 2007, "Probabilistic Matrix Factorization"; for events instead of ratings its weighted
form of Hu, Koren & Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from recollect.counting.draws import draw_generator
from recollect.counting.folding import Factorisation, FoldInSettings
from recollect.counting.ridge import ridge


class PMF(Factorisation):
    """Scores are x.y: the most probable x and y under X[u, v] ~ N(x_u.y_v, 1 / c_uv) and x, y ~ N(0, 1 / `l2`).

    The first source leaves out what is not rated; events have no ratings, and everything left would be 1. So what was
    not met counts as 0 with precision c = 1, what was met as 1 with c = 1 + `confidence`. Alternating least squares
    climbs to a mode of the posterior; folding a user in is one more of its steps.
    """

    class Config(FoldInSettings):
        width: int = Field(128, ge=1)
        """Width of the vectors."""
        confidence: float = Field(3.0, ge=0)
        """How much more an event is trusted than its absence."""
        l2: float = Field(30.0, gt=0)
        """Precision of the priors."""
        rounds: int = Field(10, ge=1)
        """How often users and items are fitted to each other."""

    config: Config

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"items": (self.catalog.size, self.config.width)}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        met = matrix.astype(np.float32)
        met_by = met.T.tocsr()
        draw = draw_generator()
        items = draw.standard_normal(self.shapes()["items"], np.float32) / np.float32(self.config.width**0.5)
        for _ in range(self.config.rounds):
            users = self._fitted(met, items)
            items = self._fitted(met_by, users)
        return {"items": items}

    def fold(self, rows: sp.csr_array) -> np.ndarray:
        return self._fitted(rows, self.table("items"))

    def _fitted(self, rows: sp.csr_array, table: np.ndarray) -> np.ndarray:
        return ridge(rows, table, confidence=self.config.confidence, l2=self.config.l2)
