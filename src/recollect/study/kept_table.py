"""The item table of a run, kept by its refit or by what starts from it: a newer log, such as the export of a journal,
brings none.

Titles and the columns that `within` chooses by describe the items, whatever log they were met in.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from recollect.artifact import is_artifact, items_described
from recollect.data.log import EventLog, Table, Vocabulary
from recollect.study.settings import RunSettings


def with_kept_table(log: EventLog, settings: RunSettings) -> EventLog:
    """The log with the item table of the run that is refitted or started from, where it has none of its own.

    A note of the log says so. Items that the run did not know are not described. Raises ArtifactError where the run is
    damaged.
    """
    run = settings.split.refit_of or settings.train.start_from
    if run is None or log.item_table is not None:
        return log
    if not is_artifact(run):
        said = f"{run} is gone, and with it what described its items; name a table of them with --items"
        return dataclasses.replace(log, notes=(*log.notes, said))
    items, table = items_described(run)
    if table is None:
        return log
    codes = items.encode(log.item_ids.ids.tolist(), unknown=items.first - 1)
    known = int((codes >= items.first).sum())
    columns = ", ".join(table.columns)
    said = (
        f"the item table of {run} is kept, since {log.name} names none ({columns}): it describes {known:,} of "
        f"{len(log.item_ids):,} items; --items names another"
    )
    kept = _lined_up(table, items, codes) if known else None
    return dataclasses.replace(log, item_table=kept, notes=(*log.notes, said))


def _lined_up(table: Table, items: Vocabulary, codes: np.ndarray) -> Table:
    """Rows of the table at `codes` [n] of its vocabulary; empty ones where a code is below its first."""
    lined = {}
    for name, column in table.columns.items():
        nothing = np.array([None if column.dtype == object else np.nan], dtype=column.dtype)
        lined[name] = np.concatenate([nothing, column])[codes - items.first + 1]
    return Table(lined)
