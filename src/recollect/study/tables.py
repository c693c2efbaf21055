"""From the folders of runs to what is read: accuracy with its errors, differences with their tests, and what it cost.

Everything is computed from the ledgers and cards that the runs have kept, so a table can be made again at any time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import Metrics, measure
from recollect.evaluate.protocol import FRESH, Protocol
from recollect.evaluate.significance import Comparison
from recollect.evaluate.significance import compare as paired
from recollect.study.scoring import Part

DECIDES = "ndcg@10"
"""What the rows are sorted by, and the differences are of."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the runs of a model took: means over its seeds, the most memory of any. None where no card says."""

    parameters: int | None
    epoch_seconds: float | None
    """Of training one epoch, without validation."""
    best_epochs: tuple[int, ...]
    """One a seed; empty for a model without epochs."""
    epochs: int
    """The most that any seed was trained for."""
    seconds: float
    """Of a whole training, validation included."""
    peak_bytes: int | None
    """Resident memory of the process."""
    accelerator_bytes: int | None
    ranking_seconds: float | None
    """For a thousand users, on validation."""
    machines: tuple[str, ...]
    """What it ran on: `cpu, 2 threads`."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A model that has figures. `comparison`: it minus the reference; None for the reference itself."""

    model: str
    metrics: Metrics
    cost: Cost
    seeded: bool
    comparison: Comparison | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """The result of a comparison, best first. `ledger`: every rank of every run, None where no run has any."""

    on: Part
    rows: tuple[Row, ...]
    ledger: Ledger | None
    seeds: int | None
    """How many seeds of each model were asked for; None where the runs were named one by one."""
    failed: Mapping[str, tuple[str, ...]]
    """Model -> for each run without figures, which it is and why."""
    against: str | None = None
    """The one that the others were to be compared with; None: the best, which these figures found."""

    @property
    def reference(self) -> str | None:
        """What the others are compared with; None where it has no figures."""
        if self.against is None:
            return self.rows[0].model if self.rows else None
        return self.against if any(row.model == self.against for row in self.rows) else None

    @property
    def protocol_line(self) -> str:
        """One line for all rows; where models see histories of different lengths, all of them are said."""
        assert self.ledger is not None
        protocols = list(self.ledger.protocols.values())
        return common_protocol(protocols).line()


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """One run with one seed: the ranks it gave, and what its card says of how it came about."""

    ledger: Ledger
    card: Mapping[str, Any]
    seeded: bool


def tabulate(
    done: Sequence[Measured],
    on: Part,
    seeds: int | None,
    failed: Mapping[str, tuple[str, ...]],
    against: str | None = None,
) -> Table:
    """The table of all runs that have figures; runs of one name are the seeds of one row. `against` as in `Table`."""
    if not done:
        return Table(on, (), None, seeds, failed, against)
    whole = concat([one.ledger for one in done])
    # Ledgers kept before 0.2 do not say it of themselves.
    unseeded = {name for one in done if not one.seeded for name in one.ledger.protocols}
    whole = dataclasses.replace(whole, unseeded=whole.unseeded | unseeded)
    measured = {name: measure(whole.of(name)) for name in whole.runs}
    order = sorted(whole.runs, key=lambda name: -measured[name][DECIDES])
    tests: dict[str, Comparison] = {}
    reference = against or order[0]
    if len(order) > 1 and reference in measured and measured[reference].users > 1:
        # A model that knows the request time may be compared with one that does not: the line says who is which.
        others = [name for name in order if name != reference]
        found = paired(whole, reference, others, metric=DECIDES, allow=("request_time",))
        tests = {one.run: one for one in found}
    rows = []
    for name in order:
        mine = [one for one in done if name in one.ledger.protocols]
        cost = cost_of([one.card for one in mine])
        rows.append(Row(name, measured[name], cost, mine[0].seeded, tests.get(name)))
    return Table(on, tuple(rows), whole, seeds, failed, against)


def cost_of(cards: Sequence[Mapping[str, Any]]) -> Cost:
    """Of one model's runs, from what their cards say."""
    costs = [card.get("cost", {}) for card in cards]
    histories = [card["history"] for card in cards if card["history"]]
    peaks = _said(costs, "peak bytes")
    accelerator = _said(costs, "accelerator bytes")
    parameters = _said(costs, "parameters")
    ranking = [1000 * card["cost"]["ranking seconds"] / card["protocol"]["users"] for card in cards if "cost" in card]
    machines = [f"{cost['device']}, {cost['threads']} thread{'s' * (cost['threads'] != 1)}" for cost in costs if cost]
    return Cost(
        parameters=max(parameters, default=None),
        epoch_seconds=_mean([row["train_seconds"] for history in histories for row in history]),
        best_epochs=tuple(card["best epoch"] for card in cards if card["history"]),
        epochs=max((len(history) for history in histories), default=0),
        seconds=float(np.mean([card["seconds"] for card in cards])),
        peak_bytes=max(peaks, default=None),
        accelerator_bytes=max(accelerator, default=None),
        ranking_seconds=_mean(ranking),
        machines=tuple(dict.fromkeys(machines)),
    )


def common_protocol(protocols: Sequence[Protocol]) -> Protocol:
    """One that speaks for all: what differs is named side by side, seeds are those of any."""

    def named(values: Iterable[str]) -> Any:
        return " or ".join(dict.fromkeys(values))

    return dataclasses.replace(
        protocols[0],
        history=named(one.history for one in protocols),
        request_time=named(one.request_time for one in protocols),
        started_from=begun if (begun := named(one.started_from or FRESH for one in protocols)) != FRESH else "",
        seeds=tuple(sorted({seed for one in protocols for seed in one.seeds})),
    )


def plain(table: Table) -> dict[str, Any]:
    """The table for a program to read."""
    return {
        "on": table.on,
        "protocol": None if table.ledger is None else table.protocol_line,
        "sorted by": DECIDES,
        "seeds": table.seeds,
        "compared with": table.reference,
        "rows": [_plain_row(row, table.against) for row in table.rows],
        "without figures": {model: list(reasons) for model, reasons in table.failed.items()},
    }


def _plain_row(row: Row, against: str | None) -> dict[str, Any]:
    metrics, cost = row.metrics, row.cost
    difference = None if row.comparison is None else dataclasses.asdict(row.comparison)
    return {
        "model": row.model,
        "seeds": list(metrics.seeds),
        "values": dict(metrics.values),
        "standard errors over users": {n: None if math.isnan(e) else e for n, e in metrics.errors.items()},
        "standard deviations over seeds": dict(metrics.seed_spread),
        "users": metrics.users,
        "targets": metrics.targets,
        "questions": metrics.targets,  # its name before 0.2
        "misses": metrics.misses // len(metrics.seeds),  # the same targets with every seed
        "difference": difference,
        "minus the best": difference if against is None else None,  # its name before 0.2
        "cost": dataclasses.asdict(cost),
    }


def _said(costs: Iterable[Mapping[str, Any]], name: str) -> list[int]:
    return [cost[name] for cost in costs if name in cost]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
