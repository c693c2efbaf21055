"""Is one run better than another? Over users, who are what the two share, and over trainings, which they do not.

The interval of a difference has two parts. Users: a paired bootstrap of differences averaged over seeds. Trainings: the
variance between seeds, with Student's t, for three seeds know their own variance badly. Each reaches as far as it would
alone, and the two are added in squares (MOVER: Zou & Donner 2008); p is the level at which the interval ends at zero,
with a sign-flip test over users. By simulation (tests/evaluate/test_significance.py) two methods that are the same are
called different at most about as often as is said, whichever part is the larger. One variance with the degrees of
freedom of Satterthwaite makes intervals a tenth shorter instead, and calls 8 of 100 different where one side has three
seeds and the other draws no random numbers. Holm's correction (Holm 1979).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from recollect.data.log import DataError
from recollect.evaluate.between_seeds import ENOUGH, NONE, BetweenSeeds, between_seeds, together
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import gains
from recollect.evaluate.protocol import CHOSEN
from recollect.evaluate.resampling import flipped_means, paired_bootstrap


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
    p: float | None
    """None where the interval leaves a training out."""
    p_holm: float | None
    """`p`, corrected for all the comparisons it was made with that have one."""
    users: int
    seeds: int
    """How many seeds each side has at least; a side that draws no random numbers does not count."""
    leaves_out: tuple[str, ...] = ()
    """Which of the two have fewer than three seeds: how another training of theirs would end is not in the interval."""
    unlike: tuple[str, ...] = ()
    """Switches in which the two were allowed to differ, and do."""

    @property
    def better(self) -> bool:
        """The whole interval lies above zero, and it leaves nothing out."""
        return self.low > 0 and not self.leaves_out

    def line(self) -> str:
        interval = f"[{self.low:+.4f}, {self.high:+.4f}] {self.level:.0%} interval"
        if self.leaves_out:
            said = (
                f"{interval} over {self.users:,} users, which leaves out how another training of "
                f"{' or '.join(self.leaves_out)} would end (only {self.seeds} seed{'s' * (self.seeds > 1)}), so no p"
            )
        else:
            said = f"{interval}, p {self.p:.2g}, Holm {self.p_holm:.2g}, {self.users:,} users"
        return f"{self.run} - {self.baseline}, {self.metric.upper()}: {self.difference:+.4f} {said}" + (
            f"; NOT ALIKE in {'; '.join(self.unlike)}" if self.unlike else ""
        )

    __str__ = line


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

    The interval holds what other users and other trainings would do. Of a run with fewer than three seeds the latter is
    not known: it is left out, `leaves_out` says so, and there is no p. Runs that `ledger.unseeded` names draw no random
    numbers, have nothing to leave out, and need one seed only.

    Raises DataError where the two do not rank the same targets in the same way; `allow` names switches of the
    protocol that may differ all the same (`request_time`, `seen`), and the result then says so.
    """
    base = _Gains.of(ledger, baseline, metric)
    base_protocol = ledger.protocols[baseline]
    found = []
    for run in [name for name in ledger.runs if name != baseline] if runs is None else runs:
        mine, protocol = _Gains.of(ledger, run, metric), ledger.protocols[run]
        different = protocol.differences(base_protocol, ignore=(*CHOSEN, *allow))
        if different or not np.array_equal(mine.targets, base.targets):
            why = "; ".join(different) or "other users, positions or targets"
            raise DataError(
                f"{run!r} and {baseline!r} were not measured alike ({why}): their difference means nothing; "
                "measure both on the same log, split and seen-filter"
            )
        mean, low, high, p = _difference(mine, base, level, draws, seed)
        few = tuple(one.run for one in (mine, base) if one.training is None)
        seeds = min((len(one.sums) for one in (mine, base) if one.run not in ledger.unseeded), default=1)
        unlike = tuple(base_protocol.differences(protocol, ignore=CHOSEN))
        tested = None if few else p
        users = len(mine.weights)
        found.append(
            Comparison(run, baseline, metric, mean, low, high, level, tested, tested, users, seeds, few, unlike)
        )
    corrected = iter(holm([one.p for one in found if one.p is not None]))
    return [one if one.p is None else dataclasses.replace(one, p_holm=next(corrected)) for one in found]


@dataclasses.dataclass(frozen=True, slots=True)
class _Gains:
    """A run's gains, and what is known of its trainings: None with fewer than three seeds."""

    run: str
    targets: np.ndarray  # [Q 3] user, length, item; sorted
    sums: np.ndarray  # [S U] of a user's gains with each seed
    weights: np.ndarray  # [U] targets of a user
    training: BetweenSeeds | None

    @classmethod
    def of(cls, whole: Ledger, run: str, metric: str) -> _Gains:
        ledger = whole.of(run)
        if (users := ledger.protocols[run].users) < 2:
            raise DataError(
                f"run {run!r} has targets of {users} user{'s' * (users != 1)}: a comparison needs two users"
            )
        seeds = len(ledger.protocols[run].seeds)
        order = np.lexsort((ledger.item, ledger.length, ledger.user, ledger.seed))
        targets = np.stack([ledger.user, ledger.length, ledger.item], axis=1)[order]
        one = len(targets) // seeds
        if len(targets) != one * seeds or not (targets.reshape(seeds, one, 3) == targets[:one]).all():
            raise DataError(f"run {run!r} has not the same targets with every seed")
        gain = gains(metric, ledger.rank[order]).reshape(seeds, one)
        _, first, weights = np.unique(targets[:one, 0], return_index=True, return_counts=True)
        sums = np.add.reduceat(gain, first, axis=1)
        known = NONE if run in ledger.unseeded else between_seeds(sums, weights) if seeds >= ENOUGH else None
        return cls(run, targets[:one], sums, weights, known)


def _difference(mine: _Gains, base: _Gains, level: float, draws: int, seed: int) -> tuple[float, float, float, float]:
    """-> the mean difference, its interval's ends, and p; trainings of which nothing is known are left out."""
    weights = mine.weights
    sums = mine.sums.mean(axis=0) - base.sums.mean(axis=0)
    mean = float(sums.sum() / weights.sum())
    low, high = paired_bootstrap(sums / weights, weights, level=level, draws=draws, seed=seed)
    flipped = np.sort(flipped_means(sums / weights, weights, draws=draws, seed=seed))[::-1]
    distance = abs(mean) - 1e-9 * float(np.abs(sums).sum() / weights.sum())  # sums differ in the last bits
    p = _p(distance, flipped, NONE)
    trainings = together([one.training for one in (mine, base) if one.training is not None])
    if trainings.variance > 0:
        # What the users of a training have by chance is in its variance, and so is taken out of that over users.
        off = sums - mean * weights
        over_users = len(off) / (len(off) - 1) * float(np.square(off / weights.sum()).sum())
        kept = max(0.0, 1 - trainings.interaction / over_users) if over_users > 0 else 0.0
        reach = float(trainings.quantile(1 - level))
        # Never less than over users alone, to which another training can only add.
        low = min(low, mean - math.hypot(math.sqrt(kept) * (mean - low), reach))
        high = max(high, mean + math.hypot(math.sqrt(kept) * (high - mean), reach))
        p = max(p, _p(distance, math.sqrt(kept) * flipped, trainings))
    return mean, low, high, p


def _p(distance: float, flipped: np.ndarray, trainings: BetweenSeeds) -> float:
    """The least level at which users (flipped [N], the largest first) and trainings together do not reach so far."""
    levels = np.arange(1, len(flipped) + 1) / (len(flipped) + 1)
    reach = np.hypot(flipped, trainings.quantile(levels)) if trainings.variance > 0 else flipped
    short = np.flatnonzero(reach < distance)
    return float(levels[short[0]]) if len(short) else 1.0
