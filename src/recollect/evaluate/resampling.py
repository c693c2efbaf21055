"""How a mean over users would come out with other users, or with signs dealt by chance: by drawing, in no time.

Users who agree in a value are interchangeable, so it is drawn how many of each value there are, and not who: a
multinomial draw where users are drawn anew, a binomial one where signs are flipped. A difference of NDCG@10 has about a
hundred values, however many users there are. Percentile bootstrap (Efron & Tibshirani 1993), sign-flip permutation test
(Fisher).
"""

from __future__ import annotations

import dataclasses

import numpy as np

VALUES = 128
"""More different values than these (means over seeds, users with several targets) are drawn in as many groups of
neighbours: how many of a group exactly, what they sum to inside it by a normal draw of the right mean and variance."""

_CELLS = 1 << 20
"""Counts drawn at once: what bounds the memory."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Groups:
    """Users [U] by what each adds to a sum and to a weight: how many, means, and population covariances in a group."""

    users: np.ndarray  # [G]
    sums: np.ndarray  # [G]
    weights: np.ndarray  # [G]
    spread: np.ndarray | None  # [3 G]: sums', sums' with weights', weights'; None where a group is one value


def paired_bootstrap(
    differences: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of the mean difference when users are drawn anew.

    differences [U]: one a user; weights [U]: how many targets it is the mean of (default 1). Raises ValueError for
    fewer than two users, differences that are not finite, and weights that are not positive.
    """
    share = _checked(differences, weights)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    groups, users = _groups(differences * share, share), len(differences)
    random, inside = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    means = np.empty(draws)
    step = max(1, _CELLS // len(groups.users))
    for begin in range(0, draws, step):
        count = random.multinomial(users, groups.users / users, min(step, draws - begin)).astype(np.float64)  # [N G]
        total, weight = count @ groups.sums, count @ groups.weights
        if groups.spread is not None:
            more, heavier = _inside(count @ groups.spread.T, inside)
            total, weight = total + more, weight + heavier
        means[begin : begin + len(count)] = total / weight
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def flipped_means(
    differences: np.ndarray, weights: np.ndarray | None = None, *, draws: int = 10_000, seed: int = 0
) -> np.ndarray:
    """[draws]: how far from zero the mean difference lies when each user's sign is a coin's. As `paired_bootstrap`."""
    share = _checked(differences, weights)
    sums = np.abs(differences * share)
    sums = sums[sums != 0]  # a zero has no sign to flip
    if len(sums) == 0:
        return np.zeros(draws)
    groups = _groups(sums, np.ones_like(sums))
    random, inside = np.random.default_rng([seed, 2]), np.random.default_rng([seed, 3])
    totals = np.empty(draws)
    step = max(1, _CELLS // len(groups.users))
    for begin in range(0, draws, step):
        plus = random.binomial(groups.users, 0.5, (min(step, draws - begin), len(groups.users)))  # [N G]
        totals[begin : begin + len(plus)] = (2.0 * plus - groups.users) @ groups.sums
    if groups.spread is not None:
        totals += inside.standard_normal(draws) * np.sqrt(groups.users @ groups.spread[0])
    return np.abs(totals) / share.sum()


def paired_permutation(
    differences: np.ndarray, weights: np.ndarray | None = None, *, draws: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p: how often a mean difference as large arises when each user's sign is a coin's.

    The drawing itself counts as one of the draws, so p is never 0 and the test never anti-conservative.
    """
    flipped = flipped_means(differences, weights, draws=draws, seed=seed)
    share = np.ones(len(differences)) if weights is None else weights.astype(np.float64)
    sums = differences * share
    slack = 1e-9 * np.abs(sums).sum() / share.sum()  # equal sums taken in another order differ in the last bits
    reached = int((flipped >= abs(sums.sum()) / share.sum() - slack).sum())
    return (1 + reached) / (1 + draws)


def _groups(sums: np.ndarray, weights: np.ndarray) -> _Groups:
    """Users by value. Values that differ by less than 1e-12 of the largest are one: a mean over seeds is not exact."""
    largest = np.abs(sums).max()
    value = np.rint(sums * (2.0**40 / largest)) if largest > 0 else np.zeros_like(sums)
    order = np.lexsort((value, weights))
    new = (np.diff(value[order]) != 0) | (np.diff(weights[order]) != 0)
    place = np.concatenate([[0], np.cumsum(new)])
    values = int(place[-1]) + 1
    if values > VALUES:
        place = place * VALUES // values
    sums, weights, users = sums[order], weights[order].astype(np.float64), np.bincount(place)
    mean, weight = np.bincount(place, sums) / users, np.bincount(place, weights) / users
    if values <= VALUES:
        return _Groups(users, mean, weight, None)
    off, heavier = sums - mean[place], weights - weight[place]
    spread = np.stack([np.bincount(place, one) for one in (off * off, off * heavier, heavier * heavier)]) / users
    return _Groups(users, mean, weight, spread)


def _inside(spread: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Covariances [N 3] of what is drawn inside groups -> normal deviations of the sums [N] and the weights [N]."""
    of_sums, of_both, of_weights = spread.T
    first, second = random.standard_normal((len(spread), 2)).T
    root = np.sqrt(of_weights)
    shared = np.divide(of_both, root, out=np.zeros_like(root), where=root > 0)
    rest = np.sqrt(np.maximum(of_sums - shared * shared, 0))
    return shared * first + rest * second, root * first


def _checked(differences: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The weights, by default 1 a user."""
    share = np.ones(len(differences)) if weights is None else weights.astype(np.float64)
    if differences.ndim != 1 or differences.shape != share.shape:
        raise ValueError(f"need one difference and one weight a user, got {differences.shape} and {share.shape}")
    if len(differences) < 2 or not np.isfinite(differences).all() or not (share > 0).all():
        raise ValueError("need two users or more, finite differences and positive weights")
    return share
