"""Filters on a log: a time window, duplicates, and the k-core, always in this order, and every one counts its share.

What is left is coded afresh, so that a filtered log is a log like any other; side tables stay lined up.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from recollect.config import Settings
from recollect.data.log import DataError, Dropped, EventLog, Table, Vocabulary

Duplicates = Literal["keep", "drop-exact", "drop-consecutive", "drop-repeats"]


AGAIN = {
    "drop-exact": "exact duplicate",
    "drop-consecutive": "same item as just before",
    "drop-repeats": "repeat",
}
"""What the events are called that `duplicates` leaves out."""


class FilterConfig(Settings):
    """Which events to keep. The defaults keep all of them."""

    min_user_events: int = Field(1, ge=1)
    """Users with fewer events are left out; repeated together with min_item_events until nothing changes."""
    min_item_events: int = Field(1, ge=1)
    """Items with fewer events are left out."""
    duplicates: Duplicates = "keep"
    """drop-exact: same user, item and time; drop-consecutive: the item the user had just before; drop-repeats: any item
    the user had before. The first of them always stays."""
    time_from: int | str | None = None
    """Leave out what is earlier: unix seconds, or an ISO date such as 2024-05-31 (in data.time_zone, else UTC)."""
    time_to: int | str | None = None
    """Leave out this moment and what is later."""

    def for_answering(self) -> FilterConfig:
        """Without what only chooses the events to train on: a user is answered from all that happened.

        `duplicates` stays. It says what counts as an event at all, in a history that is answered as in training; it
        leaves out no user, and no item that a user had.
        """
        return FilterConfig(duplicates=self.duplicates)

    @property
    def selection(self) -> str:
        """What is kept, in a few words; empty: everything."""
        users, items = self.min_user_events, self.min_item_events
        parts = [f"from {self.time_from}"] if self.time_from is not None else []
        parts += [f"before {self.time_to}"] if self.time_to is not None else []
        parts += [self.duplicates] if self.duplicates != "keep" else []
        if users == items > 1:
            return ", ".join([*parts, f"min {users} events"])
        parts += [f"min {users} events a user"] if users > 1 else []
        parts += [f"min {items} events an item"] if items > 1 else []
        return ", ".join(parts)

    @field_validator("time_from", "time_to")
    @classmethod
    def _is_a_time(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, str):
            parse_time(value)
        return value


def parse_time(value: int | str, zone: str | None = None) -> int:
    """Unix seconds of a number or of an ISO date or time; without an offset it is one of `zone` (None: UTC).

    ValueError otherwise.
    """
    from datetime import datetime

    from recollect.data.times.local import local_seconds

    if isinstance(value, int):
        return value
    if value.strip().lstrip("-").isdigit():
        return int(value)
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"{value!r} is no time; expected unix seconds or an ISO date such as 2024-05-31") from None
    return local_seconds(moment, zone)


def apply(log: EventLog, config: FilterConfig) -> EventLog:
    """The log with only what the filter keeps, coded afresh; `dropped` says how much went and why.

    DataError if nothing is left, or if a time window is asked of a log that has only an order.
    """
    keep = np.ones(len(log), bool)
    dropped: list[Dropped] = []
    for moment, reason in ((config.time_from, "before"), (config.time_to, "at or after")):
        if moment is None:
            continue
        if not log.clock:
            raise DataError(f"{log.name}: a time window needs times, and this log has only an order; leave it out")
        late = log.times >= parse_time(moment, log.reading.get("time_zone"))
        keep = _note(keep, late if reason == "before" else ~late, f"{reason} {moment}", "", dropped)
    if config.duplicates != "keep":
        rows = np.flatnonzero(keep)
        again = _again(log, rows, config.duplicates)
        stay = keep.copy()
        stay[rows[again]] = False
        keep = _note(keep, stay, AGAIN[config.duplicates], "", dropped)
    keep = _k_core(log, keep, config, dropped)
    if not keep.any():
        reasons = ", ".join(f"{entry.events} {entry.reason}" for entry in dropped)
        raise DataError(f"{log.name}: the filters leave none of its {len(log)} events ({reasons}); filter less")
    if config.selection:
        log = dataclasses.replace(log, selection=", ".join(part for part in (log.selection, config.selection) if part))
    if keep.all():
        return log
    return _recoded(log, keep, tuple(dropped))


def _again(log: EventLog, rows: np.ndarray, kind: Duplicates) -> np.ndarray:
    """[rows] bool: True where an event says again what the user's earlier kept events said."""
    users, items, times = log.users[rows], log.items[rows], log.times[rows]
    again = np.zeros(len(rows), bool)
    if kind == "drop-consecutive":
        again[1:] = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
        return again
    keys = (times, items, users) if kind == "drop-exact" else (items, users)
    order = np.lexsort((np.arange(len(rows)), *keys))
    same = np.ones(max(len(rows) - 1, 0), bool)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    again[order[1:]] = same
    return again


def _k_core(log: EventLog, keep: np.ndarray, config: FilterConfig, dropped: list[Dropped]) -> np.ndarray:
    """The largest set of events in which every user and every item has enough of them."""
    if config.min_user_events <= 1 and config.min_item_events <= 1:
        return keep
    sides = (
        ("user", log.users, config.min_user_events, len(log.user_ids)),
        ("item", log.items, config.min_item_events, log.item_ids.size),
    )
    gone = {"user": [0, 0], "item": [0, 0]}
    changed = True
    while changed:
        changed = False
        for side, codes, least, size in sides:
            counts = np.bincount(codes[keep], minlength=size)
            few = (counts > 0) & (counts < least)
            if few.any():
                gone[side][0] += int(counts[few].sum())
                gone[side][1] += int(few.sum())
                keep = keep & ~few[codes]
                changed = True
    for side, _, least, _ in sides:
        if gone[side][0]:
            plural = f"{gone[side][1]} {side}{'s' if gone[side][1] > 1 else ''}"
            dropped.append(Dropped(f"{side} with fewer than {least} events", gone[side][0], plural))
    return keep


def _note(keep: np.ndarray, stay: np.ndarray, reason: str, detail: str, dropped: list[Dropped]) -> np.ndarray:
    gone = int((keep & ~stay).sum())
    if gone:
        dropped.append(Dropped(reason, gone, detail))
    kept: np.ndarray = keep & stay
    return kept


def _recoded(log: EventLog, keep: np.ndarray, dropped: tuple[Dropped, ...]) -> EventLog:
    left_users, users = np.unique(log.users[keep], return_inverse=True)
    # Items that never had an event are in the vocabulary because they were asked for (candidates = table): they stay.
    idle = np.flatnonzero(np.bincount(log.items, minlength=log.item_ids.size)[1:] == 0) + 1
    left_items = np.union1d(np.unique(log.items[keep]), idle)
    items = np.searchsorted(left_items, log.items[keep])
    times = log.times[keep]
    if not log.clock:  # positions have to close up
        starts = np.searchsorted(users, np.arange(len(left_users)))
        times = np.arange(len(users), dtype=np.int64) - starts[users]
    return dataclasses.replace(
        log,
        users=users.astype(np.int32),
        items=(items + 1).astype(np.int32),
        times=times,
        user_ids=Vocabulary(log.user_ids.ids[left_users]),
        item_ids=Vocabulary(log.item_ids.ids[left_items - 1], first=1),
        values={name: column[keep] for name, column in log.values.items()},
        weights=None if log.weights is None else log.weights[keep],
        targets=None if log.targets is None else log.targets[keep],
        user_table=_rows(log.user_table, left_users),
        item_table=_rows(log.item_table, left_items - 1),
        dropped=(*log.dropped, *dropped),
    )


def _rows(table: Table | None, rows: np.ndarray) -> Table | None:
    return None if table is None else Table({name: column[rows] for name, column in table.columns.items()})
