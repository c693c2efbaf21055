"""A run made again on every event, for use: same settings, and as many epochs as validation found best.

What is held out for validation and test is a model's most recent knowledge; once they have judged it, it may learn them
too. The refitted model has no figure of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recollect.artifact import read_card, verify
from recollect.config import ConfigError, decode, plain
from recollect.data.log import EventLog
from recollect.study.read_again import expect_sides, expect_source
from recollect.study.run import Outcome, run
from recollect.study.settings import DataSettings, RunSettings, SplitSettings, settings_in, times_as_read
from recollect.train.progress import Reporter, Silent

SUFFIX = "-refit"


def refit(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    source: str | None = None,
    items: str | None = None,
    users: str | None = None,
    reading: Mapping[str, Any] | None = None,
    log: EventLog | None = None,
    report: Reporter | None = None,
) -> Outcome:
    """Train the run's model on all events and keep it in `out` (by default beside the run, `<name>-refit`).

    `source`: a newer log, read in the same way; `items` and `users`: where its side tables lie, if not where they
    were; `reading`: other options of reading than the run's, as [data] of a run.toml has them; `log`: one that is read
    already. Raises as `study.run.run` does.
    """
    folder, report = Path(os.path.abspath(folder)), report or Silent()
    settings = refitted(folder, source)
    sides = {side: place for side, place in (("items", items), ("users", users)) if place is not None}
    data = decode(DataSettings, {**plain(settings.data), **(reading or {}), **sides}, where="data")
    settings = settings.model_copy(update={"data": data})
    if log is None:
        if source is None:
            expect_source(settings.data)
        expect_sides(settings.data)
    for line in _remarks(settings):
        report.note(line)
    return run(settings, out or default_out(folder), log=log, report=report)


def refitted(folder: Path, source: str | None = None) -> RunSettings:
    """The settings of a run, changed to learn from everything for its best number of epochs."""
    card = read_card(folder)
    verify(folder)
    settings = settings_in(folder)
    epochs = int(card.get("best epoch", 0)) or settings.train.stop_after
    if epochs is None and card.get("history"):
        raise ConfigError(f"{folder}: no epoch of it was validated, so nothing says how many a refit should have")
    # A limit of time would end it elsewhere than validation found; the schedule is still that of all epochs.
    train = settings.train.model_copy(update={"stop_after": epochs, "minutes": None})
    times = times_as_read(settings.data.time_format, card)
    data = settings.data.model_copy(update={"time_format": times, "source": source or settings.data.source})
    split = SplitSettings(protocol="none", refit_of=str(folder))
    return settings.model_copy(update={"split": split, "train": train, "data": data})


def default_out(folder: Path) -> Path:
    """`<run>-refit` beside the run, with a number where that is taken."""
    first = folder.with_name(folder.name.removesuffix(SUFFIX) + SUFFIX)
    place, number = first, 1
    while place.exists():
        number += 1
        place = first.with_name(f"{first.name}-{number}")
    return place


def _remarks(settings: RunSettings) -> Iterator[str]:
    if settings.train.stop_after is not None:
        epochs = f"{settings.train.stop_after} epoch{'s' if settings.train.stop_after > 1 else ''}"
        yield f"refit of {settings.split.refit_of}: {epochs}, as validation found best, on every event"
    else:
        yield f"refit of {settings.split.refit_of} on every event"
    for name in ("time_from", "time_to"):
        if (value := getattr(settings.data.filters, name)) is not None:
            yield f"data.filters.{name}={value} of that run still holds, so every event means every one it leaves"
