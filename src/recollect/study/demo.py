"""The demonstration: four models on a simulated log, beside the best that is possible on it.

All five answer the same questions and go through the same ledger, so that they are compared alike. The settings of the
networks were found on the validation questions only.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recollect import artifact
from recollect.artifact import Artifact
from recollect.data.histories import Questions, Split
from recollect.data.log import EventLog
from recollect.data.simulate.generator import SimulateConfig, Simulation, simulate
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import Metrics, measure
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.ranking import rank
from recollect.evaluate.significance import Comparison, compare
from recollect.study.run import default_folder, run, split_data
from recollect.study.scoring import note_scoring
from recollect.study.settings import SplitSettings, settings_from
from recollect.train.fit import fit
from recollect.train.progress import Reporter, Silent

BEST = "best possible"
FLAGSHIP, FLOOR = "xlstm-lsr", "markov"
PORTION = 256
"""Questions whose exact probabilities are held at once."""

_TRAIN = {
    "epochs": 14,
    "patience": 14,
    "validate_every": 2,
    "warmup": 50,
    "final_rate": 0.02,
    "batches": {"tokens": 2048},
}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "popularity": {},
    FLOOR: {},
    "sasrec": {
        "model": {"window": 100, "dropout": 0.1},
        "train": {**_TRAIN, "learning_rate": 0.002},
    },
    FLAGSHIP: {
        "model": {"dropout": 0.1},
        "train": {**_TRAIN, "learning_rate": 0.004},
    },
}
"""The settings of each model, in the order of the table."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. `share` is NDCG@10 as a part of the best possible; `seconds` of training, if any."""

    name: str
    metrics: Metrics
    share: float
    seconds: float | None

    def plain(self) -> dict[str, Any]:
        names = ("hr@10", "ndcg@10")
        figures = {name: self.metrics[name] for name in names} | {
            f"se {name}": self.metrics.errors[name] for name in names
        }
        return {"model": self.name, **figures, "share of best": self.share, "seconds": self.seconds}


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """What the demonstration shows."""

    folder: Path
    log: EventLog
    trained: Artifact
    ledger: Ledger
    rows: tuple[Row, ...]
    comparison: Comparison
    """The flagship minus the floor, NDCG@10."""
    user: int
    """The code of the user whose list is shown."""

    @property
    def protocol_line(self) -> str:
        return self.ledger.protocols[FLAGSHIP].line()


def run_demo(
    out: str | Path | None = None,
    report: Reporter | None = None,
    *,
    world: SimulateConfig | None = None,
    recipes: Mapping[str, Mapping[str, Any]] = RECIPES,
) -> Demonstration:
    """Simulate, train, compare; the flagship is kept in `out`. `world` and `recipes` are for smaller ones."""
    report = report or Silent()
    made = simulate(world or SimulateConfig())
    split = split_data(made.log, SplitSettings())
    folder = Path(out) if out is not None else default_folder("demo", FLAGSHIP)
    ledgers, seconds = [], {}
    for name, recipe in recipes.items():
        if name == FLAGSHIP:
            settings = settings_from(
                {
                    "data": {"source": "simulated"},
                    "model": {"name": name, **recipe.get("model", {})},
                    "train": recipe.get("train", {}),
                    "evaluate": {"seen": "allowed"},
                }
            )
            outcome = run(settings, folder, log=made.log, report=report)
            model, seconds[name] = outcome.trained.model, outcome.trained.seconds
        else:
            trained = fit(name, split, recipe.get("train"), model=recipe.get("model"), seen="allowed", report=report)
            if trained.interrupted:
                raise KeyboardInterrupt
            model, seconds[name] = trained.model, trained.seconds
        ledgers.append(rank(model, split.log, split.test, seen="allowed", run=name, split=f"{split.protocol}, test"))
    report.note("the best possible: the exact probability of every item, given each history")
    begun = time.monotonic()
    ledgers.append(best_ledger(made, split, split.test))
    report.note(f"the best possible took {time.monotonic() - begun:.1f} s")
    flagship = ledgers[list(recipes).index(FLAGSHIP)]
    note_scoring(folder, flagship, measure(flagship))
    whole = concat(ledgers)
    best = measure(whole.of(BEST))["ndcg@10"]
    rows = []
    for name in whole.runs:
        metrics = measure(whole.of(name))
        rows.append(Row(name, metrics, metrics["ndcg@10"] / best, seconds.get(name)))
    (comparison,) = compare(whole, FLOOR, [FLAGSHIP])
    return Demonstration(
        folder, made.log, artifact.load(folder), whole, tuple(rows), comparison, _telling_user(made.log)
    )


def best_ledger(made: Simulation, split: Split, questions: Questions) -> Ledger:
    """The ranks of the targets under the exact posterior predictive, ties against the target as everywhere."""
    log = made.log
    ranks = np.zeros(len(questions), dtype=np.int32)
    for begin in range(0, len(questions), PORTION):
        part = slice(begin, begin + PORTION)
        likely = made.best_possible(questions.users[part], questions.positions[part])  # [Q V]
        targets = log.items[questions.positions[part]].astype(np.int64)
        own = np.take_along_axis(likely, targets[:, None], axis=1)
        ranks[part] = (likely[:, 1:] >= own).sum(axis=1)
    period = "test" if questions is split.test else "validation"
    protocol = Protocol(
        data=log.name,
        digest=log.digest,
        split=f"{split.protocol}, {period}",
        ties=log.ties,
        seen="allowed",
        request_time="unused",
        candidates=f"all {len(log.item_ids):,} items",
    )
    return Ledger(
        run=np.full(len(ranks), BEST, dtype=object),
        seed=np.zeros(len(ranks), dtype=np.int64),
        user=questions.users.astype(np.int64),
        user_id=log.user_ids.decode(questions.users),
        item=log.items[questions.positions].astype(np.int64),
        length=questions.positions - log.offsets[questions.users],
        rank=ranks,
        protocols={BEST: protocol},
    )


def _telling_user(log: EventLog) -> int:
    """The first user with a history of middling length: long enough to show a taste."""
    lengths = np.diff(log.offsets)
    return int(np.flatnonzero(lengths >= np.median(lengths))[0])
