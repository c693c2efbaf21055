"""Accuracy from ranks, with standard errors over users: a figure without its error cannot be compared.

A target is one item, so Recall is HR, Precision is HR / k, and average precision is 1 / rank.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from recollect.config import ConfigError, did_you_mean
from recollect.display import Display, Displayed
from recollect.evaluate.ledger import MISS, Ledger
from recollect.evaluate.protocol import Protocol

CUTOFFS = (5, 10, 20)
KINDS = ("hr", "recall", "precision", "ndcg", "mrr")
NAMES = (*(f"{kind}@{k}" for kind in KINDS for k in CUTOFFS), "map")
"""The metrics that are reported; any other cut-off can be named (`ndcg@50`)."""


def gains(name: str, ranks: np.ndarray) -> np.ndarray:
    """What each target is worth, float64 in [0, 1]: `hr@10`, `ndcg@10`, `mrr@20`, `map`... A miss is worth 0."""
    kind, at, cutoff = name.lower().partition("@")
    place = ranks.astype(np.float64)
    if kind == "map" and not at:
        return np.where(ranks < MISS, 1 / place, 0.0)
    if kind not in KINDS or not cutoff.isdecimal() or int(cutoff) < 1:
        raise ValueError(f"no metric is called {name!r}{did_you_mean(name, NAMES)}")
    k = int(cutoff)
    worth = {
        "hr": lambda: np.ones_like(place),
        "recall": lambda: np.ones_like(place),
        "precision": lambda: np.full_like(place, 1 / k),
        "ndcg": lambda: 1 / np.log2(place + 1),
        "mrr": lambda: 1 / place,
    }[kind]()
    return np.where((ranks <= k) & (ranks < MISS), worth, 0.0)


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Metrics(Displayed):
    """Means over targets, and their standard errors over users (several targets or seeds of a user: one cluster).

    `seed_spread`: standard deviation over seeds of the mean of each seed; empty with one seed. It is no part of
    `errors`, which say how far another draw of users would move these very models.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    seed_spread: Mapping[str, float]
    users: int
    targets: int
    misses: int
    seeds: tuple[int, ...]
    protocol: Protocol | None = None
    """How they were measured."""

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    @property
    def questions(self) -> int:
        """The name of `targets` before; goes with version 0.2."""
        return self.targets

    def text(self, name: str) -> str:
        """One figure with its standard error, to print: `.3209 ± .0060`."""
        return f"{figure(self.values[name])} ± {figure(self.errors[name])}"

    def __str__(self) -> str:
        return "\n".join(f"{name.upper():<13} {self._cell(name)}" for name in self.values)

    def _cell(self, name: str) -> str:
        spread = f"   seeds ± {figure(self.seed_spread[name])}" if name in self.seed_spread else ""
        return self.text(name) + spread

    def _display(self) -> Display:
        """A row a kind of metric, a column a cut-off."""
        parts = {name: (kind, at + cut) for name in self.values for kind, at, cut in [name.partition("@")]}
        cells = {place: self._cell(name) for name, place in parts.items()}
        kinds, cuts = (list(dict.fromkeys(part[side] for part in cells if part[1])) for side in (0, 1))
        rows = [[kind.upper(), *(cells.get((kind, cut), "") for cut in cuts)] for kind in kinds]
        whole = [(kind.upper(), text) for (kind, cut), text in cells.items() if not cut]
        misses = f", {self.misses:,} targets were hidden" if self.misses else ""
        title = f"Metrics of {self.targets:,} targets, mean ± standard error over {self.users:,} users{misses}"
        notes = [] if self.protocol is None else [self.protocol.line()]
        return Display(title, whole, ["", *(f">{cut}" for cut in cuts)], rows, notes)


def measure(ledger: Ledger, names: Sequence[str] | str = NAMES) -> Metrics:
    """The metrics of a ledger of one run (all its seeds); raises ValueError for several runs: use `measure_runs`.

    `names`: `ndcg@10` and the like, one or several; ConfigError where there is no ledger.
    """
    if not isinstance(ledger, Ledger):
        raise ConfigError(f"measure: a ledger is expected, as rank gives it, not {type(ledger).__name__}")
    names = [names] if isinstance(names, str) else names
    if len(ledger.runs) != 1:
        raise ValueError(f"measure wants the rows of one run, got {len(ledger.runs)}: {', '.join(ledger.runs)}")
    if len(ledger) == 0:
        raise ValueError(f"run {ledger.runs[0]!r} has no rows: nobody had a target")
    _, user = np.unique(ledger.user, return_inverse=True)
    seeds, seed = np.unique(ledger.seed, return_inverse=True)
    values, errors, spread = {}, {}, {}
    for name in names:
        gain = gains(name, ledger.rank)
        values[name] = float(gain.mean())
        errors[name] = clustered_error(gain, user)
        if len(seeds) > 1:
            spread[name] = float((np.bincount(seed, gain) / np.bincount(seed)).std(ddof=1))
    protocol = ledger.protocols[ledger.runs[0]]
    misses = int((ledger.rank == MISS).sum())
    return Metrics(values, errors, spread, protocol.users, protocol.targets, misses, tuple(seeds.tolist()), protocol)


def measure_runs(ledger: Ledger, names: Sequence[str] = NAMES) -> dict[str, Metrics]:
    """`measure` for every run of the ledger."""
    return {run: measure(ledger.of(run), names) for run in ledger.runs}


def clustered_error(gain: np.ndarray, user: np.ndarray) -> float:
    """The standard error of `gain.mean()` when rows of one user (codes 0 to U - 1) are no independent evidence.

    The linearised ratio of sums over users; with one row a user it is the sample deviation over sqrt(U). nan for U = 1.
    """
    counts = np.bincount(user)
    users = len(counts)
    if users < 2:
        return float("nan")
    deviations = np.bincount(user, gain) - gain.mean() * counts
    return float(np.sqrt(users / (users - 1) * np.square(deviations).sum()) / len(gain))


def figure(value: float, *, signed: bool = False) -> str:
    """A score, or a difference of two (`signed`), as the field prints it: .1234, +.0123."""
    text = f"{value:{'+' if signed else ''}.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text
