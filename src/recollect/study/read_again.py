"""The log of a kept run read once more, when files may have moved since, and what is to be said of what was read.

A table of items or users that is gone stops nobody who asks a model: its titles and columns are kept with the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recollect.artifact import Artifact
from recollect.data.log import DataError, EventLog
from recollect.data.side_table import table_of_ids
from recollect.data.sources import is_simulated, locate
from recollect.study.lineage import fewer_events
from recollect.study.run import read_data
from recollect.study.settings import DataSettings

SIDES = {"items": ("item_key", "item_title"), "users": ("user_key",)}
"""The side tables, and the options of reading that are about each."""


def read_again(trained: Artifact, settings: DataSettings, source: str | None) -> EventLog:
    """The log that `settings` name, without the side tables that are gone.

    `source`: what was given instead of the run's own. Raises DataError, which names --data where the run's own is gone.
    """
    if source is None:
        expect_source(settings)
    changes: dict[str, None] = {}
    for side in gone_sides(settings):
        changes |= dict.fromkeys((side, *SIDES[side]))
    items = None
    if "items" in changes and settings.candidates == "table":  # the ids of that table are the items of the model
        items = table_of_ids(trained.items)
    return read_data(settings.model_copy(update=changes), items=items)


def expect_source(settings: DataSettings) -> None:
    """Raise DataError where the run's own log is gone."""
    if is_simulated(settings.source):
        return
    try:
        locate(settings.source, settings.data_dir)
    except DataError:
        inside = "" if settings.data_dir is None or os.path.isabs(settings.source) else f" in {settings.data_dir}"
        raise DataError(
            f"{settings.source}{inside}: the log of the run is not there any more; "
            "give the place where it lies now with --data"
        ) from None


def gone_sides(settings: DataSettings) -> dict[str, str]:
    """Which side tables are no file any more, by `items` and `users`, and where each was."""
    return _gone({side: getattr(settings, side) for side in SIDES})


def expect_sides(settings: DataSettings) -> None:
    """Raise DataError where a side table is gone, for whoever must learn from it."""
    for side, place in gone_sides(settings).items():
        raise DataError(f"{place}: no such file; restore it, or name the table of {side} with --{side} FILE")


def remarks_on_reading(trained: Artifact, log: EventLog, source: str | None) -> Iterator[str]:
    """What a reader should know of a log that was read again; what was left out of it, where `source` was given."""
    yield from remarks_on_gone(trained)
    if source is not None:
        yield from log.remarks()
        yield from fewer_events(trained.card, trained.folder, log)


def remarks_on_gone(trained: Artifact) -> Iterator[str]:
    """Which side tables of the run are gone, and what is taken instead."""
    for side, place in _gone(trained.settings.get("data", {})).items():
        instead = "titles and columns are those kept with the run" if side == "items" else "users are not described"
        yield f"{place} is gone: {instead}"


def _gone(places: Mapping[str, Any]) -> dict[str, str]:
    named = {side: place for side in SIDES if (place := places.get(side)) is not None}
    return {side: place for side, place in named.items() if not Path(place).expanduser().is_file()}
