"""Measuring a trained model again: on test, under another seen-filter or split, on the log it was trained on.

A test set answers honestly once; so every scoring of it is written down with its date, and a split whose targets the
model was trained on is refused.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recollect.artifact import Artifact, ArtifactError, reason, record_in
from recollect.config import ConfigError, decode
from recollect.data import baskets
from recollect.data.blocks import ranges
from recollect.data.histories import Ragged, Split, Targets
from recollect.data.log import DataError, EventLog
from recollect.data.seen import Seen
from recollect.data.splits import SplitName
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.lists import ListMetrics, ListTally
from recollect.evaluate.metrics import Metrics
from recollect.evaluate.protocol import History
from recollect.evaluate.ranking import rank
from recollect.recommend import top_lists
from recollect.study.lineage import refuse_refitted
from recollect.study.read_again import read_again
from recollect.study.run import split_data
from recollect.study.settings import DataSettings, RunSettings, settings_from, times_as_read

SCORINGS, TEST = "test-scorings.jsonl", "test.parquet"

Part = Literal["validation", "test"]
Scored = Literal["test", "since"]
"""What a noted scoring is of: the test part of the run's log, or what came since a moment in another log."""


def score(
    trained: Artifact,
    log: EventLog,
    *,
    protocol: SplitName | None = None,
    seen: Seen | None = None,
    history: History | None = None,
    on: Part = "test",
    run: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ledger:
    """Rank the targets of a part; split, seen-filter and history are those of the run where None, and `run` is the
    model's name.

    Raises DataError where the log has other items than the model, ConfigError where the model was trained on the
    answers of the split that is named.
    """
    settings = settings_of(trained)
    refuse_refitted(trained.folder, trained.card)
    if not np.array_equal(log.item_ids.ids, trained.items.ids):
        raise DataError(
            f"{log.name} holds {len(log.item_ids):,} items, and they are not the {len(trained.items):,} the model was "
            "trained on; evaluate on the log of the run (the same file, columns and filters), or ask a newer log for "
            "what is new in it: --since DATE"
        )
    split, note = _split(trained, settings, log, protocol, on)
    targets = _targets(split, on)
    return rank(
        trained,
        log,
        dataclasses.replace(targets, split=targets.split + note),
        seen=seen or settings.evaluate.seen,
        request_time=settings.evaluate.tells_time,
        last=told_of(settings, history),
        run=run or trained.name,
        seed=settings.train.seed,
        progress=progress,
    )


def shown(
    trained: Artifact,
    log: EventLog,
    *,
    protocol: SplitName | None = None,
    seen: Seen | None = None,
    history: History | None = None,
    on: Part = "test",
    k: int = 10,
) -> ListMetrics:
    """What the top k lists show, one list a user: that before the user's first target. As `score` otherwise."""
    settings = settings_of(trained)
    split, _ = _split(trained, settings, log, protocol, on)
    targets = _targets(split, on)
    users, first = np.unique(targets.users, return_index=True)
    positions = targets.positions[first]
    starts, ends = log.offsets[users], positions
    index, _ = ranges(starts, ends)
    offsets = np.concatenate([[0], np.cumsum(ends - starts)])
    histories = Ragged(log.items[index].astype(np.int64), log.times[index], offsets)
    at = log.times[positions] if settings.evaluate.tells_time else None
    tally = ListTally(np.bincount(split.train.items, minlength=log.item_ids.size))
    asked, last = seen or settings.evaluate.seen, told_of(settings, history)
    for lists in top_lists(trained.model, histories, k=k, seen=asked, at=at, clock=log.clock, last=last):
        tally.add(lists.codes)
    return tally.result()


def told_of(settings: RunSettings, history: History | None) -> int | None:
    """Of how many of the last events the model may know (None: all): as is said now, else as in the run."""
    if history is None:
        return settings.evaluate.history
    return None if history == "whole" else history


def settings_of(trained: Artifact) -> RunSettings:
    """The settings of a run. Raises ConfigError for a model that was kept without a log."""
    if "source" not in trained.settings.get("data", {}):
        raise ConfigError(
            f"{trained.folder}: kept without a log, so nothing says which events it has not learnt from; "
            "rank it in Python, with recollect.rank"
        )
    return settings_from(trained.settings)


def data_of(trained: Artifact, source: str | None = None, reading: Mapping[str, Any] | None = None) -> EventLog:
    """The log of the run, or another source read in the same way, filtered as for training: what is measured on.

    `reading` as of `whole_log`.
    """
    return read_again(trained, _reading(trained, source, reading), source)


def whole_log(trained: Artifact, source: str | None = None, reading: Mapping[str, Any] | None = None) -> EventLog:
    """The same log with every event: what users are answered from.

    Filters that choose what is trained on (times, and the least number of events of a user or an item) do not apply;
    see `FilterConfig.for_answering`. `reading`: other options of reading than the run's, as [data] of a run.toml has
    them.
    """
    settings = _reading(trained, source, reading)
    return read_again(trained, settings.model_copy(update={"filters": settings.filters.for_answering()}), source)


def _reading(trained: Artifact, source: str | None, reading: Mapping[str, Any] | None = None) -> DataSettings:
    kept = trained.settings.get("data", {})
    if source is None and "source" not in kept:
        raise ConfigError(f"{trained.folder}: this model was kept without a log; give one with --data")
    changes = {"time_format": times_as_read(kept.get("time_format"), trained.card), "source": source}
    changes = {name: to for name, to in changes.items() if to is not None} | dict(reading or {})
    return decode(DataSettings, {**kept, **changes}, where="data")


def remark_on_data(trained: Artifact, log: EventLog) -> list[str]:
    """What a reader should know of what a run was trained on: another log, older weights, vectors from elsewhere."""
    remarks = []
    known = trained.card.get("data", {}).get("digest")
    if known is not None and log.digest != known:
        remarks.append(
            f"the log is not the one {trained.folder} was trained on (digest {log.digest} instead of {known})"
        )
    began = trained.settings.get("train", {})
    if (older := began.get("start_from")) is not None:
        remarks.append(
            f"{trained.folder}: training began with the weights of {older}, and its cost does not count them"
        )
    vectors = began.get("init_items") or trained.settings.get("model", {}).get("init_items")
    if vectors is not None:
        remarks.append(f"{trained.folder}: its item vectors began as those of {vectors}")
    return remarks


def remark_on_baskets(log: EventLog, ledger: Ledger, on: Part) -> list[str]:
    """What a reader should know of the targets of `score`: that they are the rests of baskets, where that is common."""
    targets = Targets(ledger.user, log.offsets[ledger.user] + ledger.length)
    return [said] if (said := baskets.remark(log, targets, f"{on} ")) else []


def note_scoring(folder: Path, ledger: Ledger, metrics: Metrics, of: Scored = "test") -> int:
    """Append a scoring of test, or of the events since a moment, to the run's folder -> how many there are now of that
    kind. Raises ArtifactError."""
    path = folder / SCORINGS
    (protocol,) = ledger.protocols.values()
    row = {
        "of": of,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "protocol": protocol.line(),
        **{name: round(metrics[name], 6) for name in ("hr@10", "ndcg@10")},
    }
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return scorings(folder, of)
    except OSError as error:
        raise ArtifactError(f"{path}: a scoring of test must be noted, and cannot be: {reason(error)}") from None


def scorings(folder: Path, of: Scored = "test") -> int:
    """How many scorings of a kind are noted in a run's folder. Raises ArtifactError for what is no such record."""
    path = folder / SCORINGS
    if not path.exists():
        return 0
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return sum(_scored(row) == of for row in rows)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise ArtifactError(f"{path}: no record of scorings; restore it from a copy, or move it away") from None


def _scored(row: Mapping[str, Any]) -> str:
    """What a scoring was of; of a version that did not say, its protocol does."""
    return str(row.get("of") or ("since" if "split events since" in row["protocol"] else "test"))


def _split(
    trained: Artifact, settings: RunSettings, log: EventLog, protocol: str | None, on: Part
) -> tuple[Split, str]:
    """The split that is named, and what to add to its name where the run was trained under another."""
    own = split_data(log, settings.split)
    if protocol in (None, settings.split.protocol):
        _refuse_learnt(trained, own, on)
        return own, ""
    other = split_data(log, settings.split.model_copy(update={"protocol": protocol}))
    targets = _targets(other, on)
    known = int((targets.positions < own.train_ends[targets.users]).sum())
    if known:
        raise ConfigError(
            f"{trained.folder}: trained under {settings.split.protocol}, so it has learnt {known:,} of the "
            f"{len(targets):,} {on} answers of {protocol}; "
            f"train a model for it: recollect train {trained.name} --set split.protocol={protocol}"
        )
    _refuse_learnt(trained, other, on)
    return other, f", but trained under {settings.split.protocol}"


def _refuse_learnt(trained: Artifact, split: Split, on: Part) -> None:
    """Raise ConfigError where the model has learnt targets: the log is cut otherwise than its own, or older weights
    had learnt more than that."""
    if (record := record_in(trained.folder)) is None:  # of a version that kept none
        return
    targets = _targets(split, on)
    known = int(record.among(split, targets).sum())
    if known:
        raise ConfigError(
            f"{trained.folder}: it has learnt {known:,} of the {len(targets):,} {on} answers of {split.log.name} "
            f"[{split.log.digest}]; evaluate on the log of the run (the same file, columns and filters), or on what "
            "came later: --since DATE"
        )


def _targets(split: Split, on: Part) -> Targets:
    return split.validation if on == "validation" else split.test
