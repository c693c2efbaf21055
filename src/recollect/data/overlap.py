"""Whether files of one log tell the same events: exports whose spans overlap, as `jan.csv` and `jan-feb.csv` do.

One event may well happen twice, in one file or in two. Files overlap where, over the span of the events that they
share, most events of one of them are in the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recollect.data.log import EventLog

PLACE = "\0place"
"""The value of a log that holds each event's row among those that are kept."""
FEWEST = 2
"""Shared events that are needed before anything is said; rows, where there is no time."""
SHARE = 0.5
"""Of the events of one of two files, in the span of those that they share, so many are in both."""
EDGES = 20
"""One in so many shared events is left out at each end of that span: a chance repeat does not widen it."""
_PAIRS = 20
_SHOWN = 3
_REMEDY = "leave files out, or keep each event once with --set data.filters.duplicates=drop-exact"


class Pair(NamedTuple):
    """Two files that overlap: how many events of the later one repeat the earlier one's, and one such pair of rows."""

    events: int
    row: int
    repeats: int


def with_places(log: EventLog) -> tuple[EventLog, np.ndarray]:
    """A log without its `PLACE`, and that column."""
    values = dict(log.values)
    places = values.pop(PLACE)
    return dataclasses.replace(log, values=values), places


def overlaps(log: EventLog, places: np.ndarray, exact: np.ndarray, starts: np.ndarray) -> list[Pair]:
    """The pairs of files that overlap, most shared events first; of many pairs, those that share the most.

    `log`: exact moments for times. `places` [n]: each event's row; `exact` [n]: the moments in the order of rows;
    `starts` [files + 1]: the rows of file k are `starts[k]:starts[k + 1]`.
    """
    same = (log.users[1:] == log.users[:-1]) & (log.times[1:] == log.times[:-1])
    if not same.any():
        return []
    tied = np.zeros(len(log), bool)
    tied[1:] |= same
    tied[:-1] |= same
    some = np.flatnonzero(tied)
    group = np.cumsum(np.concatenate(([True], ~same)))[some]
    items, rows = log.items[some], places[some].astype(np.int64)
    order = np.lexsort((rows, items, group))
    group, items, rows = group[order], items[order], rows[order]
    files = np.searchsorted(starts, rows, side="right") - 1
    new = np.concatenate(([True], (group[1:] != group[:-1]) | (items[1:] != items[:-1])))
    first = np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))  # where the same event stands first
    again = np.flatnonzero(files != files[first])
    pairs = files[first[again]] * len(starts) + files[again]
    found = []
    for pair, count in zip(*_commonest(pairs), strict=True):
        if count < FEWEST:
            break
        late = again[pairs == pair]
        low, high = np.sort(exact[rows[late]])[[count // EDGES, -1 - count // EDGES]]
        both = (exact[starts[file] : starts[file + 1]] for file in divmod(int(pair), len(starts)))
        inside = min(int(((one >= low) & (one <= high)).sum()) for one in both)
        if count - 2 * (count // EDGES) >= SHARE * inside:
            top = late[rows[late].argmin()]
            found.append(Pair(int(count), int(rows[top]), int(rows[first[top]])))
    return found


def continued(users: np.ndarray, items: np.ndarray, starts: np.ndarray) -> list[Pair]:
    """Without times: the files that begin with all rows of another one, in the order of the files."""
    found = []
    lengths = np.diff(starts)
    begun: dict[tuple[int, int], list[int]] = {}
    for file in np.flatnonzero(lengths > FEWEST).tolist():
        start = int(starts[file])
        alike = begun.setdefault((int(users[start]), int(items[start])), [])
        for other in alike:
            count, before = int(min(lengths[file], lengths[other])), int(starts[other])
            if all(np.array_equal(one[start : start + count], one[before : before + count]) for one in (users, items)):
                found.append(Pair(count, start, before))
                break
        alike.append(file)
    return found


def note(pairs: list[Pair], place: Callable[[int], str], timed: bool = True) -> str:
    """What is said of files that overlap; `place` says where a row stands."""
    shown = ", ".join(f"{place(pair.row)} is {place(pair.repeats)} again" for pair in pairs[:_SHOWN])
    more = f" and {len(pairs) - _SHOWN} more pairs of files" if len(pairs) > _SHOWN else ""
    what = "the same user, item and time" if timed else "the same users and items in the same order"
    return (
        f"files overlap: {sum(pair.events for pair in pairs):,} events stand in two files, {what} ({shown}{more}), and "
        f"count twice; {_REMEDY if timed else 'leave files out'}"
    )


def _commonest(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that come most often, and how often; no more than a few, as each is looked at."""
    known, counts = np.unique(pairs, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_PAIRS]
    return known[order], counts[order]
