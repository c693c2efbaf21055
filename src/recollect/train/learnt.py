"""What older weights have learnt is never asked: the targets of a run against the events that its start comes from.

Every trained folder keeps a record of its events. Of an older one, which keeps none, the log's digest decides, or else
the time of the latest event learnt; where there is no time either, that is said.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recollect.artifact import SETTINGS, Artifact, is_artifact, read_card, record_in
from recollect.config import ConfigError, read_toml
from recollect.data.histories import Split, Targets
from recollect.data.learnt_events import LearntEvents
from recollect.data.log import EventLog


def learnt_by(split: Split, start_from: str | None) -> LearntEvents:
    """What training on a split learns from, with what the weights it starts from had learnt."""
    own = LearntEvents.of(split)
    if start_from is None:
        return own
    if not is_artifact(start_from):  # moved since; nothing says any more what it had learnt
        return own.with_older(LearntEvents(np.zeros(0, np.int64), own.clock, None, True))
    return own.with_older(learnt_in(Path(start_from), split))


def learnt_in(folder: Path, split: Split) -> LearntEvents:
    """What the model in a folder has learnt from. `split`: if it was the same, that answers for a missing record."""
    if (record := record_in(folder)) is not None:
        return record
    card = read_card(folder)
    data, measured = card.get("data", {}), card.get("protocol", {}).get("split", "")
    alike = data.get("digest") == split.log.digest and measured == f"{split.protocol}, validation"
    if alike and read_toml(folder / SETTINGS).get("train", {}).get("start_from") is None:
        return LearntEvents.of(split)
    until = card.get("learnt", {}).get("until")
    return LearntEvents(np.zeros(0, np.int64), bool(data.get("clock", True)), until, True, until)


def refuse_learnt_targets(older: Artifact, split: Split) -> Iterator[str]:
    """Raise ConfigError where older weights have learnt targets of this split -> what cannot be known of it."""
    targets = held_out(split)
    if len(targets) == 0:
        return
    log, record = split.log, learnt_in(older.folder, split)
    known = int(record.among(split, targets).sum())
    if known:
        refit = older.card.get("refit")
        how = "refitted on all of its events, so it" if refit else "it"
        may = "may have" if record.unrecorded else "has"
        source = refit.get("run") if refit else None
        late = "" if record.until is None else f" than {moment(record.until)} UTC"
        raise ConfigError(
            f"{older.folder}: {how} {may} learnt {known:,} of the {len(targets):,} targets that this run holds out; "
            + (f"start from {source}, or " if source else "")
            + ("" if refit else "read the log as that run did, start from fresh weights, or ")
            + f"hold out what is later{late} (split.protocol=temporal)"
        )
    yield from unknown(record, log, targets, str(older.folder))


def unknown(record: LearntEvents, log: EventLog, targets: Targets, run: str) -> Iterator[str]:
    """What the record of a run cannot say of these targets."""
    if record.of_others(log, targets.users):
        yield (
            f"no user whose events this run holds out is among those that {run} has learnt from, so it has learnt none "
            "of these targets (if users are not written otherwise there)"
        )
        return
    never = "whether it has learnt targets of this log cannot be known"
    if record.clock != log.clock:
        yield f"{run} was trained with{'' if record.clock else 'out'} times and {log.name} has {_has(log)}: {never}"
    elif record.unrecorded and record.unrecorded_until is None:
        yield f"{run} has no record of all the events it has learnt from: {never}"
    elif not record.clock:
        yield (
            f"{log.name} has only an order, as the log of {run} had: that its targets have not been learnt was checked "
            "by user and item alone"
        )
    elif record.until is not None and log.times[targets.positions].min() <= record.until:
        old = np.flatnonzero(log.times <= record.until)
        known = record.known(log, old)
        # The older run may have held out two events of each user, which it has not learnt.
        if 2 * known <= len(old) - 2 * len(np.unique(log.users[old])) or not known:
            yield (
                f"{run} has learnt from {known:,} of the {len(old):,} events of {log.name} that are as old: if users, "
                f"items or times of the others are only written otherwise there, {never}"
            )


def held_out(split: Split) -> Targets:
    """The targets of validation and of test, each once."""
    positions = np.union1d(split.validation.positions, split.test.positions)
    return Targets(split.log.users[positions].astype(np.int64), positions)


def moment(seconds: int) -> str:
    """As `2024-05-31 08:00:00`, UTC."""
    try:
        return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _has(log: EventLog) -> str:
    return "times" if log.clock else "only an order"
