"""What a model has learnt from, as its card says, and what it can therefore not be asked.

A model that is refitted on every event has seen whatever its own log could ask. Times decide what it can be asked:
what lies behind the latest event learnt cannot have been learnt. (Event by event: `train.learnt`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from recollect.artifact import is_artifact, read_card
from recollect.config import ConfigError
from recollect.data.histories import Split
from recollect.data.learnt_events import LearntEvents
from recollect.data.log import EventLog
from recollect.data.splits import Target
from recollect.study.settings import DATE_ORDER, RunSettings, settings_in
from recollect.train.learnt import moment
from recollect.train.trained import described

LEARNT, REFIT = "learnt", "refit"
"""Entries of a card: what was learnt from, and what a refitted run was refitted from."""
TARGET = "target of that run"
"""Of the entry of a refit: `target_asked` of the run that it stems from."""


def read_as(log: EventLog) -> dict[str, Any]:
    """For the card: which log it was, and in which order its dates have day and month."""
    order = {} if log.date_order is None else {DATE_ORDER: log.date_order}
    return {**described(log), **order}


def learnt(split: Split, record: LearntEvents) -> dict[str, Any]:
    """For the card: how many events were learnt from and held out, and the time of the latest one learnt from.

    `until` is in seconds, None for a log without times; that of older weights counts too.
    """
    held_out = split.held_out
    return {"events": len(split.log) - held_out, "held out": held_out, "until": record.until}


def learnt_until(card: Mapping[str, Any]) -> int | None:
    """The time of the latest event a model has learnt from; None where its card does not say."""
    until = card.get(LEARNT, {}).get("until")
    return None if until is None else int(until)


def refit_card(settings: RunSettings, split: Split) -> dict[str, Any]:
    """For the card of a run that holds nothing out: what it stems from. Empty for every other run."""
    source = settings.split.refit_of
    if settings.split.protocol != "none":
        return {}
    said: dict[str, Any] = {"run": source, "events": len(split.log), "epochs": settings.train.stop_after}
    if source is not None and is_artifact(source):
        card = read_card(Path(source))
        asked = target_asked(card, settings_in(Path(source)))
        said |= {"digest": card["digest"], "validation of that run": card.get("validation"), TARGET: asked}
    return {REFIT: {**said, "test": "none of its own: nothing was held out"}}


def target_asked(card: Mapping[str, Any], settings: RunSettings) -> Target:
    """Which of a user's events in a period a run was asked for, or the run that it was refitted from; all of them where
    none was said, as by a split without periods."""
    if settings.split.protocol == "temporal":
        return settings.split.target
    refit = card.get(REFIT, {})
    if TARGET in refit:
        return cast(Target, refit[TARGET])
    source = refit.get("run")
    if source is not None and is_artifact(source):  # of a version that did not write it down
        return target_asked(read_card(Path(source)), settings_in(Path(source)))
    return "all"


def fewer_events(card: Mapping[str, Any], run: str | Path, log: EventLog) -> Iterator[str]:
    """A remark where a log has less than half as many events as the run learnt from: the newer ones alone."""
    known = int(card.get(LEARNT, {}).get("events", 0))
    if 2 * len(log) < known:
        yield (
            f"{run} learnt from {known:,} events, and {log.name} has {len(log):,}: the older events must be in the "
            'log too, or their histories are missing (all files in one folder: --data "logs/*.csv")'
        )


def remarks_on_refit(settings: RunSettings, log: EventLog) -> Iterator[str]:
    """`fewer_events` than the run that is refitted; nothing for any other run."""
    source = settings.split.refit_of
    if source is not None and is_artifact(source):
        yield from fewer_events(read_card(Path(source)), source, log)


def refuse_refitted(folder: Path, card: Mapping[str, Any]) -> None:
    """Raise ConfigError for a run that holds nothing out: it has seen whatever its own log could ask."""
    if REFIT not in card:
        return
    source, until = card[REFIT]["run"], learnt_until(card)
    first = f"evaluate {source} instead, or " if source else ""
    later = "DATE" if until is None else f"a date after {moment(until)}"
    raise ConfigError(
        f"{folder}: made on all {card[REFIT]['events']:,} events of its log, the answers too, so it has no test; "
        f"{first}ask it for what came later: --data newer --since {later}"
    )
