"""Whether a log runs backwards: exports often put the newest first.

Where the order of rows decides (no time, or ties of it), histories are then reversed, and figures *better* than they
should be: the model is asked for what came before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import polars as pl

from recollect.data.log import EventLog
from recollect.data.times.column import read_moments

SameUser = Callable[[], np.ndarray]
"""Gives [n - 1] bool: whether a row is of the same user as the row before it. Asked for only where it may matter."""

FEWEST = 3
"""Falls that are needed before anything is said."""
TO_ONE = 9
"""How many falls there must be for each rise."""
_REMEDY = "--ties file-reversed takes the rows of each file from the last one up"


def falls(values: np.ndarray, same_user: SameUser | None = None, starts: np.ndarray | None = None) -> bool:
    """Whether values go down from row to row, in the whole column or inside each user's rows.

    From file to file they may rise: the rows of file k are `starts[k]:starts[k + 1]`; None: all are of one.
    """
    steps = np.sign(np.diff(values))
    if starts is not None:
        steps[starts[(starts > 0) & (starts < len(values))] - 1] = 0
    if _down(steps):
        return True
    return same_user is not None and _down(steps[same_user()])


def neighbours_alike(users: np.ndarray, keep: np.ndarray) -> SameUser:
    """Which of the rows that are kept are of the same user (code) as the one before, worked out when it is asked."""

    def alike() -> np.ndarray:
        kept = users[keep]
        return np.asarray(kept[1:] == kept[:-1])

    return functools.cache(alike)


def tied_backwards(log: EventLog, exact: np.ndarray, same_user: SameUser, starts: np.ndarray) -> str:
    """What to say of a log whose ties stand backwards by the order of its rows; '' if they do not.

    `log` has exact moments for times; `exact` are the same in the order of the rows; `starts` as of `falls`.
    """
    if log.ties not in ("file", "file-reversed"):
        return ""
    turned = log.ties == "file-reversed"
    tied = int(((log.users[1:] == log.users[:-1]) & (log.times[1:] == log.times[:-1])).sum())
    if not tied or not falls(-exact if turned else exact, same_user, starts):
        return ""
    so = f"so {tied:,} events that share their time with the one before stand backwards"
    if turned:
        return f"oldest first: times rise along the rows, {so} by --ties file-reversed; leave that out"
    return f"newest first: times fall along the rows, {so}; {_REMEDY}"


def rows_backwards(log: EventLog, column: pl.Series, same_user: SameUser, starts: np.ndarray) -> str:
    """What to say of a log in the order of its rows, if a column tells that histories run backwards in it; '' if it
    does not. `starts` as of `falls`."""
    moments = read_moments(column.to_frame())
    usable = moments.usable
    all_alike = same_user if usable.all() else None
    turned = log.ties == "file-reversed"
    begin = np.searchsorted(np.flatnonzero(usable), starts)
    if not falls(-moments.exact[usable] if turned else moments.exact[usable], all_alike, begin):
        return ""
    if turned:
        return (
            f"oldest first: {column.name} rises along the rows, so histories from the last row up run backwards; leave "
            "out --ties file-reversed, or take the time from a column with --time"
        )
    return (
        f"newest first: {column.name} falls along the rows, so histories in their order run backwards; {_REMEDY}, or "
        "take the time from a column with --time"
    )


def files_backwards(column: pl.Series, users: np.ndarray, starts: np.ndarray, place: Callable[[int], str]) -> str:
    """What to say of files in the order of their names, if a column tells that one of them is wholly older than the one
    before it, and a user has rows in both; '' if none is.

    `users` [n]: codes in the order of the rows; `starts` [files + 1]: the rows of file k are `starts[k]:starts[k + 1]`;
    `place` says where a row stands.
    """
    if len(starts) < 3:
        return ""
    moments = read_moments(column.to_frame())
    usable, exact = moments.usable, moments.exact
    some = [file for file in range(len(starts) - 1) if usable[starts[file] : starts[file + 1]].any()]
    spans = []
    for file in some:
        inside = slice(starts[file], starts[file + 1])
        spans.append((exact[inside][usable[inside]].min(), exact[inside][usable[inside]].max()))
    older = [k for k in range(1, len(spans)) if spans[k][1] <= spans[k - 1][0] and spans[k][0] < spans[k - 1][1]]
    of = [users[starts[file] : starts[file + 1]] for file in some]
    older = [k for k in older if np.isin(of[k], of[k - 1]).any()]
    if not older:
        return ""
    late, early = (place(int(starts[some[older[0] - k]])) for k in (0, 1))
    return (
        f"files out of order: by {column.name}, the rows from {late} on are older than those from {early} on, which "
        f"are read before them ({len(older):,} of {len(spans) - 1:,} steps from file to file); name the files in the "
        "order of their rows (2024-01.csv, 2024-02.csv), or take the time from a column with --time"
    )


def _down(steps: np.ndarray) -> bool:
    down = int((steps < 0).sum())
    return down >= FEWEST and down >= TO_ONE * int((steps > 0).sum())
