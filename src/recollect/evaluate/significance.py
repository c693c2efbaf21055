"""Is one run better than another? Paired over users, because their difficulty is what the two share.

Percentile bootstrap (Efron & Tibshirani 1993), sign-flip permutation test (Fisher), Holm's correction (Holm 1979).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from recollect.data.log import DataError
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import gains

_CELLS = 1 << 22
"""Drawn users held at once: what bounds the memory of a test."""


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """`run` minus `baseline` in one metric: the mean difference, its interval, and how often chance does as much."""

    run: str
    baseline: str
    metric: str
    difference: float
    low: float
    high: float
    level: float
    p: float
    p_holm: float
    """`p`, corrected for all the comparisons it was made with."""
    users: int
    seeds: int
    """How many seeds each side has at least; fewer than three say little about another training."""
    unlike: tuple[str, ...] = ()
    """Switches in which the two were allowed to differ, and do."""

    @property
    def better(self) -> bool:
        """The whole interval lies above zero."""
        return self.low > 0

    def line(self) -> str:
        few = "" if self.seeds >= 3 else f" (only {self.seeds} seed{'s' if self.seeds > 1 else ''})"
        return (
            f"{self.run} - {self.baseline}, {self.metric.upper()}: {self.difference:+.4f} "
            f"[{self.low:+.4f}, {self.high:+.4f}] {self.level:.0%} interval, "
            f"p {self.p:.2g}, Holm {self.p_holm:.2g}, {self.users:,} users{few}"
            + (f"; NOT ALIKE in {'; '.join(self.unlike)}" if self.unlike else "")
        )

    __str__ = line


def paired_bootstrap(
    differences: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of the mean difference when users are drawn anew.

    differences [U]: one a user; weights [U]: how many targets it is the mean of (default 1).
    """
    share = np.ones(len(differences)) if weights is None else weights.astype(np.float64)
    users = _checked(differences, share)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    random = np.random.default_rng(seed)
    sums = differences * share
    means = np.empty(draws)
    step = max(1, _CELLS // users)
    for begin in range(0, draws, step):
        drawn = random.integers(0, users, (min(step, draws - begin), users), dtype=np.int32)
        means[begin : begin + len(drawn)] = sums[drawn].sum(axis=1) / share[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_permutation(
    differences: np.ndarray, weights: np.ndarray | None = None, *, draws: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p: how often a mean difference as large arises when each user's sign is a coin's.

    The drawing itself counts as one of the draws, so p is never 0 and the test never anti-conservative.
    """
    share = np.ones(len(differences)) if weights is None else weights.astype(np.float64)
    users = _checked(differences, share)
    sums = differences * share
    sums = sums[sums != 0]  # a zero has no sign to flip
    if len(sums) == 0:
        return 1.0
    observed = abs(sums.sum())
    random = np.random.default_rng(seed)
    slack = 1e-12 * np.abs(sums).sum()  # equal sums taken in another order differ in the last bits
    reached = 0
    step = max(1, _CELLS // users)
    for begin in range(0, draws, step):
        flips = random.integers(0, 2, (min(step, draws - begin), len(sums)), dtype=np.int8).astype(np.float64)
        reached += int((np.abs(2 * (flips @ sums) - sums.sum()) >= observed - slack).sum())
    return (1 + reached) / (1 + draws)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: the chance that any below a level is false is at most that level."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def compare(
    ledger: Ledger,
    baseline: str,
    runs: Sequence[str] | None = None,
    *,
    metric: str = "ndcg@10",
    allow: tuple[str, ...] = (),
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Each run (default: all others) against the baseline, Holm-corrected over them. Seeds are averaged per target.

    Raises DataError where the two do not rank the same targets in the same way; `allow` names switches of the
    protocol that may differ all the same (`request_time`, `seen`), and the result then says so.
    """
    base = _by_target(ledger.of(baseline), metric)
    base_protocol = ledger.protocols[baseline]
    found = []
    for run in [name for name in ledger.runs if name != baseline] if runs is None else runs:
        key, gain = _by_target(ledger.of(run), metric)
        other = ledger.protocols[run]
        different = other.differences(base_protocol, ignore=("seeds", "history", *allow))
        if different or not np.array_equal(key, base[0]):
            why = "; ".join(different) or "other users, positions or targets"
            raise DataError(
                f"{run!r} and {baseline!r} were not measured alike ({why}): their difference means nothing; "
                "measure both on the same log, split and seen-filter"
            )
        weights = np.unique(key[:, 0], return_counts=True)[1]
        user = np.repeat(np.arange(len(weights)), weights)
        differences = np.bincount(user, gain - base[1]) / weights
        low, high = paired_bootstrap(differences, weights, level=level, draws=draws, seed=seed)
        p = paired_permutation(differences, weights, draws=draws, seed=seed)
        seeds = min(len(base_protocol.seeds), len(other.seeds))
        mean = float((gain - base[1]).mean())
        unlike = tuple(base_protocol.differences(other, ignore=("seeds", "history")))
        found.append(Comparison(run, baseline, metric, mean, low, high, level, p, p, len(weights), seeds, unlike))
    corrected = holm([one.p for one in found])
    return [dataclasses.replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def _by_target(ledger: Ledger, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """-> (user, length, item) of every target [Q 3], sorted; the gain of each [Q], averaged over seeds."""
    key, row = np.unique(np.stack([ledger.user, ledger.length, ledger.item], axis=1), axis=0, return_inverse=True)
    row = row.reshape(-1)
    rows = np.bincount(row, minlength=len(key))
    if len(np.unique(rows)) > 1:
        raise DataError(f"run {ledger.runs[0]!r} has not the same targets with every seed")
    return key, np.bincount(row, gains(metric, ledger.rank), minlength=len(key)) / rows


def _checked(differences: np.ndarray, weights: np.ndarray) -> int:
    if differences.ndim != 1 or differences.shape != weights.shape:
        raise ValueError(f"need one difference and one weight a user, got {differences.shape} and {weights.shape}")
    if len(differences) < 2 or not np.isfinite(differences).all() or not (weights > 0).all():
        raise ValueError("need two users or more, finite differences and positive weights")
    return len(differences)
