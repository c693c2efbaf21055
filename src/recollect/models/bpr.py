"""BPR: user and item vectors learned so that an item that was met ranks above one that was not.

Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme 2009, "BPR: Bayesian Personalized Ranking from Implicit
Feedback", with matrix factorisation.
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


class BPR(Factorisation):
    """Scores are x.y + b, fitted by stochastic gradient on triples of a user, an item met and one not met.

    The source has a vector for each user; somebody new has none. So x is, for everybody, the mean of the vectors of
    what they remember, times the one number that brings such means of training's users nearest to their own vectors.
    """

    class Config(FoldInSettings):
        width: int = Field(64, ge=1)
        """Width of the vectors."""
        epochs: int = Field(40, ge=1)
        """How often every pair of a user and an item met is taken, with an unmet item drawn anew."""
        learning_rate: float = Field(0.05, gt=0)
        """Step along the gradient of one triple."""
        l2: float = Field(0.003, ge=0)
        """Penalty on the squares of whatever a triple touches."""
        batch: int = Field(1024, ge=1)
        """Triples whose gradients are taken at one point and added up."""

    config: Config

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"items": (self.catalog.size, self.config.width), "bias": (self.catalog.size,), "scale": ()}

    def learn(self, matrix: sp.csr_array) -> Mapping[str, np.ndarray]:
        settings, (users, size) = self.config, matrix.shape
        draw = draw_generator()
        people, items = (_drawn(draw, count, settings.width) for count in (users, size))
        bias = torch.zeros(size)
        who, met = (torch.from_numpy(axis.astype(np.int64)) for axis in matrix.tocoo().coords)
        pairs = who * size + met  # rising: the matrix is sorted
        for _ in range(settings.epochs):
            order = torch.from_numpy(draw.permutation(len(pairs)))
            others = torch.from_numpy(draw.integers(1, size, len(pairs)))
            for start in range(0, len(pairs), settings.batch):
                chosen, worse = order[start : start + settings.batch], others[start : start + settings.batch]
                unmet = ~_contains(pairs, who[chosen] * size + worse)  # a triple with two items met says nothing
                user, better, worse = who[chosen[unmet]], met[chosen[unmet]], worse[unmet]
                triple = people[user], items[better], items[worse], bias[better], bias[worse]
                touched = (people, user), (items, better), (items, worse), (bias, better), (bias, worse)
                slopes = gradients(*triple, settings.l2)
                for (table, rows), slope in zip(touched, slopes, strict=True):
                    table.index_add_(0, rows, slope, alpha=-settings.learning_rate)
        means = _means(matrix, items.numpy())
        scale = (means * people.numpy()).sum() / max((means**2).sum(), 1e-12)
        return {"items": items.numpy(), "bias": bias.numpy(), "scale": scale}

    def fold(self, rows: sp.csr_array) -> np.ndarray:
        return self.table("scale") * _means(rows, self.table("items"))

    def item_bias(self) -> Tensor:
        return torch.from_numpy(self.table("bias"))


def gradients(
    user: Tensor, better: Tensor, worse: Tensor, better_bias: Tensor, worse_bias: Tensor, l2: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of -log sigmoid(x) + l2/2 (all squares); x = user.(better - worse) + gap of biases. Vectors [n D], biases [n]."""
    apart = better - worse
    lead = (user * apart).sum(dim=1) + better_bias - worse_bias
    push = -torch.sigmoid(-lead)  # [n] the slope along x
    return (
        push[:, None] * apart + l2 * user,
        push[:, None] * user + l2 * better,
        -push[:, None] * user + l2 * worse,
        push + l2 * better_bias,
        -push + l2 * worse_bias,
    )


def _means(rows: sp.csr_array, items: np.ndarray) -> np.ndarray:
    """[n D]: the weighted mean of the vectors in each row [n V]; zeros for a row of nothing."""
    total = rows.sum(axis=1)[:, None]
    return (rows @ items) / np.where(total > 0, total, 1)


def _drawn(draw: np.random.Generator, count: int, width: int) -> Tensor:
    return torch.from_numpy(draw.standard_normal((count, width), np.float32)) / width**0.5


def _contains(rising: Tensor, wanted: Tensor) -> Tensor:
    place = torch.searchsorted(rising, wanted).clamp(max=len(rising) - 1)
    return rising[place] == wanted
