"""How far another training would move a mean, from the few seeds there are.

Users and seeds are crossed, so the spread of the seeds' means has two parts: what a training does to all users alike,
and what it does to each by chance (the interaction), which an average over users keeps 1/U of. The second is in a
resampling of users as well, and is told apart so as not to be counted twice. Two-way random effects (Searle, Casella &
McCulloch 1992).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

ENOUGH = 3
"""Seeds below which nothing is said about another training: a t quantile with one degree of freedom is 12.7."""


@dataclasses.dataclass(frozen=True, slots=True)
class BetweenSeeds:
    """Of a mean over seeds and users, or of a difference of two: its variance from one training to another.

    `interaction`: the part of `variance` that resampling users finds too. `freedom`: degrees of freedom of `variance`.
    """

    variance: float
    interaction: float
    freedom: float

    def quantile(self, p: np.ndarray | float) -> np.ndarray:
        """How far from zero a training's part reaches that is exceeded, on either side, with probability p."""
        return math.sqrt(self.variance) * -stdtrit(self.freedom, np.asarray(p) / 2)


NONE = BetweenSeeds(0.0, 0.0, math.inf)
"""Of a model that draws no random numbers."""


def between_seeds(sums: np.ndarray, weights: np.ndarray) -> BetweenSeeds:
    """sums [S U]: of a user's gains with each seed; weights [U]: how many gains. The mean is sums' over weights'."""
    seeds, users = sums.shape
    means = sums.sum(axis=1) / weights.sum()
    off = (sums - means[:, None] * weights) / weights.sum()  # [S U] what each user moves its seed's mean by
    apart = off - off.mean(axis=0)
    interaction = users / (users - 1) * np.square(apart).sum() / (seeds - 1)
    return BetweenSeeds(float(means.var(ddof=1)) / seeds, float(interaction) / seeds, seeds - 1)


def together(parts: Sequence[BetweenSeeds]) -> BetweenSeeds:
    """Of a difference of runs trained apart: variances add up, degrees of freedom as of Welch (1947)."""
    parts = [one for one in parts if one.variance > 0]
    if not parts:
        return NONE
    variance = sum(one.variance for one in parts)
    freedom = variance**2 / sum(one.variance**2 / one.freedom for one in parts)
    return BetweenSeeds(variance, sum(one.interaction for one in parts), freedom)
