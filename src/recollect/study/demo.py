"""The demonstration: four models on a simulated log, beside the best that is possible on it.

All five are measured on the same targets and in the same ledger, so that they are compared alike. The settings of the
networks were found on the validation targets only, with as many epochs for each as a newcomer may be asked to wait
for. Whoever does not wait keeps what there is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recollect import artifact
from recollect.artifact import Artifact
from recollect.data.histories import Split, Targets
from recollect.data.log import EventLog
from recollect.data.simulate.generator import SimulateConfig, Simulation, simulate
from recollect.data.simulate.world import SMALL as SMALL_WORLD
from recollect.data.sources import SMALL
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import Metrics, measure
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.ranking import rank
from recollect.evaluate.significance import Comparison, compare
from recollect.study.run import Stopped, default_folder, run, split_data
from recollect.study.scoring import note_scoring
from recollect.study.settings import SplitSettings, settings_from
from recollect.train.fit import fit
from recollect.train.loop import Interrupted
from recollect.train.progress import Reporter, Silent
from recollect.train.trained import Trained

BEST = "best possible"
FLAGSHIP, FLOOR = "xlstm-lsr", "markov"
PORTION = 256
"""Targets whose exact probabilities are held at once."""

EPOCHS = 6
_TRAIN = {
    "epochs": EPOCHS,
    "patience": EPOCHS,
    "validate_every": 2,
    "warmup": 50,
    "final_rate": 0.02,
    "batches": {"tokens": 1024},
}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "popularity": {},
    FLOOR: {},
    "sasrec": {
        "model": {"window": 100, "dropout": 0.1},
        "train": {**_TRAIN, "learning_rate": 0.004},
    },
    FLAGSHIP: {
        "model": {"dropout": 0.1},
        "train": {**_TRAIN, "learning_rate": 0.006},
    },
}
"""The settings of each model, in the order of the table."""

EFFORT: Mapping[str, float] = {"sasrec": 0.16, FLAGSHIP: 0.84}
"""What share of the time each takes, measured on one thread in fp32 and in bf16; the others take none to speak of."""


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
    trained: Artifact | None
    """The flagship; None if it was stopped."""
    ledger: Ledger
    rows: tuple[Row, ...]
    comparison: Comparison | None
    """The flagship minus the floor, NDCG@10; None if it was stopped."""
    user: int
    """The code of the user whose list is shown."""
    stopped: BaseException | None = None
    """What ended it before its time: Ctrl-C, said by the model that was training. Its rows are of those that ended."""

    @property
    def protocol_line(self) -> str:
        return self.ledger.protocols[self.rows[0].name].line()


def run_demo(
    out: str | Path | None = None,
    report: Reporter | None = None,
    *,
    begin: Callable[[str], None] = lambda name: None,
    world: SimulateConfig = SMALL_WORLD,
    recipes: Mapping[str, Mapping[str, Any]] = RECIPES,
) -> Demonstration:
    """Simulate, train, compare; the flagship is kept in `out`. `world` and `recipes` are for smaller ones.

    `begin` is told the name of each model before it is trained. Ctrl-C ends the training under way: the models before
    it are shown, and the flagship can be gone on with.
    """
    report = report or Silent()
    made = simulate(world)
    split = split_data(made.log, SplitSettings())
    folder = Path(out) if out is not None else default_folder("demo", FLAGSHIP)
    best = best_ledger(made, split, split.test)
    ledgers, seconds, stopped = dict[str, Ledger](), dict[str, float](), None
    try:
        for name, recipe in recipes.items():
            begin(name)
            trained = _train(name, recipe, split, folder, report)
            ledgers[name] = rank(trained, split.log, split.test, seen="allowed", run=name)
            seconds[name] = trained.seconds
    except (KeyboardInterrupt, Interrupted, Stopped) as stop:
        stopped = stop
    whole = concat([*ledgers.values(), best])
    possible = measure(best)["ndcg@10"]
    rows = []
    for name in whole.runs:
        metrics = measure(whole.of(name))
        rows.append(Row(name, metrics, metrics["ndcg@10"] / possible, seconds.get(name)))
    kept, comparison = None, None
    if FLAGSHIP in ledgers:
        note_scoring(folder, ledgers[FLAGSHIP], measure(ledgers[FLAGSHIP]))
        kept, (comparison,) = artifact.load(folder), compare(whole, FLOOR, [FLAGSHIP])
    return Demonstration(folder, made.log, kept, whole, tuple(rows), comparison, _telling_user(made.log), stopped)


def _train(name: str, recipe: Mapping[str, Any], split: Split, folder: Path, report: Reporter) -> Trained:
    """The flagship is a run with a folder, as `recollect train` makes it; the others are for the table only."""
    if name == FLAGSHIP:
        settings = settings_from(
            {
                "data": {"source": SMALL},
                "model": {"name": name, **recipe.get("model", {})},
                "train": recipe.get("train", {}),
                "evaluate": {"seen": "allowed"},
            }
        )
        return run(settings, folder, log=split.log, report=report).trained
    trained = fit(name, split, recipe.get("train"), model=recipe.get("model"), seen="allowed", report=report)
    if trained.interrupted:
        raise KeyboardInterrupt
    return trained


def best_ledger(made: Simulation, split: Split, targets: Targets) -> Ledger:
    """The ranks of the targets under the exact posterior predictive, ties against the target as everywhere."""
    log = made.log
    ranks = np.zeros(len(targets), dtype=np.int32)
    for begin in range(0, len(targets), PORTION):
        part = slice(begin, begin + PORTION)
        likely = made.best_possible(targets.users[part], targets.positions[part])  # [Q V]
        items = log.items[targets.positions[part]].astype(np.int64)
        own = np.take_along_axis(likely, items[:, None], axis=1)
        ranks[part] = (likely[:, 1:] >= own).sum(axis=1)
    protocol = Protocol(
        data=log.name,
        digest=log.digest,
        split=targets.split,
        ties=log.ties,
        seen="allowed",
        request_time="unused",
        candidates=f"all {len(log.item_ids):,} items",
    )
    return Ledger(
        run=np.full(len(ranks), BEST, dtype=object),
        seed=np.zeros(len(ranks), dtype=np.int64),
        user=targets.users.astype(np.int64),
        user_id=log.user_ids.decode(targets.users),
        item=log.items[targets.positions].astype(np.int64),
        item_id=log.item_ids.decode(log.items[targets.positions]),
        length=targets.positions - log.offsets[targets.users],
        rank=ranks,
        protocols={BEST: protocol},
        unseeded={BEST},
    )


def _telling_user(log: EventLog) -> int:
    """The first user with a history of middling length: long enough to show a taste."""
    lengths = np.diff(log.offsets)
    return int(np.flatnonzero(lengths >= np.median(lengths))[0])
