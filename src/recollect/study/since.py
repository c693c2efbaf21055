"""Last week's model judged on this week: every event since a moment is a target, given all its user did before it.

The log may hold users and items that the model has never met. A new user begins with no history; a new item cannot be
answered, so there are two figures: one counts it as a miss, one leaves it out. Both are given, because the first falls
with a growing catalogue and the second forgives it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from recollect.artifact import Artifact
from recollect.config import ConfigError, decode, plain
from recollect.data import baskets
from recollect.data.filters import FilterConfig, parse_time
from recollect.data.histories import Targets
from recollect.data.log import DataError, EventLog, Vocabulary
from recollect.data.seen import Seen
from recollect.data.splits import Target, targets_in
from recollect.evaluate.ledger import MISS, Ledger
from recollect.evaluate.protocol import History, beginning
from recollect.evaluate.ranking import rank
from recollect.study.lineage import learnt_until, target_asked
from recollect.study.read_again import read_again
from recollect.study.scoring import settings_of, told_of
from recollect.study.settings import DataSettings, RunSettings, times_as_read
from recollect.train.learnt import moment


@dataclasses.dataclass(frozen=True)
class Since:
    """What a model gets of the events since a moment. Targets of `known` are a part of those of `missed`."""

    target: Target
    """Which of a user's events since are asked for."""
    missed: Ledger
    """Every target; those of items that the model does not know are misses."""
    known: Ledger | None
    """The targets of known items only; None where there is none."""
    new_targets: int
    """How many targets are items that the model does not know."""
    new_items: int
    """How many different ones."""
    new_users: int
    """Users with targets who have no event that the model could be shown before their first target."""
    notes: tuple[str, ...]
    """What a reader should know besides."""


def data_since(
    trained: Artifact, source: str | None = None, reading: Mapping[str, Any] | None = None
) -> tuple[EventLog, str | None]:
    """The log to judge on, read as the run reads, but for its filters; and a remark where those would change it.

    A filter decides what is learnt; whoever is recommended to comes with every event. Repeats are told apart as before.
    `reading`: other options of reading than the run's, as [data] of a run.toml has them.
    """
    settings = settings_of(trained).data
    kept, remark = FilterConfig(duplicates=settings.filters.duplicates), None
    if settings.filters != kept:
        given = settings.filters.model_dump(exclude={"duplicates"}, exclude_defaults=True)
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        remark = f"the filters the run was trained with ({said}) are not applied: every event is history or target"
    times = times_as_read(settings.time_format, trained.card)
    changes = {"time_format": times, "source": source or settings.source, **(reading or {})}
    data = decode(DataSettings, {**plain(settings), **changes, "filters": plain(kept)}, where="data")
    return read_again(trained, data, source), remark


def score_since(
    trained: Artifact,
    log: EventLog,
    since: str | int,
    *,
    target: Target | None = None,
    seen: Seen | None = None,
    history: History | None = None,
    run: str | None = None,
) -> Since:
    """Rank the `first`, `last` or `all` of each user's events at or after `since` (unix seconds or a date,
    in the zone of the run's data.time_zone, else UTC); None: those that the run was asked for, all where its split
    has no periods.

    Raises ConfigError where the model has learnt from events that are not before it, DataError where the log has no
    times or no event since.
    """
    settings = settings_of(trained)
    start = _start(since, settings.data.time_zone)
    until = learnt_until(trained.card)
    if until is not None and until >= start:
        raise ConfigError(
            f"{trained.folder}: it has learnt from events up to {moment(until)} UTC, so what came since "
            f"{moment(start)} is no test; give a later --since"
        )
    if not log.clock:
        raise DataError(f"{log.name}: --since needs times, and this log has only an order")
    target = target or target_asked(trained.card, settings)
    targets = targets_in(log, log.times >= start, target)
    if len(targets) == 0:
        raise DataError(f"{log.name}: no event at or after {moment(start)} UTC; is it the newer log?")
    shown, place, answerable = _in_codes_of(log, trained.items, targets)
    name = run or trained.name
    split = f"events since {moment(start)} UTC, target {target}"
    used = settings.evaluate.tells_time
    ledger = rank(
        trained.model,
        shown,
        Targets(targets.users[answerable], place[answerable], f"{split}, new items left out"),
        seen=seen or settings.evaluate.seen,
        request_time=used,
        last=told_of(settings, history),
        run=name,
        seed=settings.train.seed,
    )
    ledger = dataclasses.replace(
        ledger,
        protocols={
            name: dataclasses.replace(
                ledger.protocols[name], digest=log.digest, started_from=beginning(trained.settings)
            )
        },
    )
    positions = targets.positions
    ranks = np.full(len(targets), MISS, dtype=np.int32)
    ranks[answerable] = ledger.rank
    codes = np.zeros(len(targets), dtype=np.int64)
    codes[answerable] = ledger.item
    missed = Ledger(
        run=np.full(len(targets), name, dtype=object),
        seed=np.full(len(targets), settings.train.seed, dtype=np.int64),
        user=targets.users,
        user_id=log.user_ids.decode(targets.users),
        item=codes,
        item_id=log.item_ids.decode(log.items[positions]),
        length=positions - log.offsets[targets.users],
        rank=ranks,
        protocols={
            name: dataclasses.replace(ledger.protocols[name], split=f"{split}, new items are misses"),
        },
        unseeded=ledger.unseeded,
    )
    rests = baskets.remark(log, targets, "", baskets.SINCE)
    return Since(
        target,
        missed,
        ledger if len(ledger) else None,
        int((~answerable).sum()),
        len(np.unique(log.items[positions[~answerable]])),
        _new_users(shown, targets, place),
        (*_notes(trained, settings, until, alone=bool((log.times >= start).all())), *([rests] if rests else [])),
    )


def _start(since: str | int, zone: str | None) -> int:
    try:
        return parse_time(since, zone)
    except ValueError as error:
        raise ConfigError(f"--since: {error}") from None


def _in_codes_of(log: EventLog, items: Vocabulary, targets: Targets) -> tuple[EventLog, np.ndarray, np.ndarray]:
    """The log without the events of unknown items, in the model's codes; where each target stands in it; which of
    them have a target that the model knows."""
    codes = np.concatenate([[0], items.encode(log.item_ids.ids.tolist(), unknown=0)])[log.items]
    keep = codes != 0
    shown = dataclasses.replace(
        log,
        users=log.users[keep],
        items=codes[keep].astype(np.int32),
        times=log.times[keep],
        item_ids=items,
        values={name: column[keep] for name, column in log.values.items()},
        weights=None if log.weights is None else log.weights[keep],
        targets=None if log.targets is None else log.targets[keep],
        item_table=None,
    )
    before = np.cumsum(keep) - keep  # events kept before each event
    return shown, before[targets.positions], keep[targets.positions]


def _new_users(shown: EventLog, targets: Targets, place: np.ndarray) -> int:
    """Users whose first target finds nothing the model could be shown."""
    users, first = np.unique(targets.users, return_index=True)
    return int((place[first] == shown.offsets[users]).sum())


def _notes(trained: Artifact, settings: RunSettings, until: int | None, *, alone: bool) -> list[str]:
    """`alone`: the log holds nothing from before the moment."""
    without = "the log has no event before that moment, so nobody has a history there; give one that holds the older"
    notes = [f'{without} events too (both files in one folder: --data "logs/*.csv")'] if alone else []
    if until is None and trained.card.get("data", {}).get("clock", True):
        notes += [
            f"the card of {trained.folder} does not say until when it has learnt; make sure that --since is later"
        ]
    elif settings.train.init_items is not None:
        notes += ["the item table started from given vectors; nothing says until when those have learnt"]
    return notes
