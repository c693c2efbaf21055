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


def falls(values: np.ndarray, same_user: SameUser | None = None) -> bool:
    """Whether values go down from row to row, in the whole column or inside each user's rows."""
    steps = np.sign(np.diff(values))
    if _down(steps):
        return True
    return same_user is not None and _down(steps[same_user()])


def neighbours_alike(users: np.ndarray, keep: np.ndarray) -> SameUser:
    """Which of the rows that are kept are of the same user (code) as the one before, worked out when it is asked."""

    def alike() -> np.ndarray:
        kept = users[keep]
        return np.asarray(kept[1:] == kept[:-1])

    return functools.cache(alike)


def tied_backwards(log: EventLog, exact: np.ndarray, same_user: SameUser) -> str:
    """What to say of a log that puts the newest first, if ties then stand backwards in it; '' if they do not.

    `log` has exact moments for times; `exact` are the same in the order of the rows.
    """
    if log.ties != "file":
        return ""
    tied = int(((log.users[1:] == log.users[:-1]) & (log.times[1:] == log.times[:-1])).sum())
    if not tied or not falls(exact, same_user):
        return ""
    return (
        f"newest first: times fall along the rows, so {tied:,} events that share their time with the one before stand "
        "backwards; --ties file-reversed takes them from the last row up"
    )


def rows_backwards(log: EventLog, column: pl.Series, same_user: SameUser) -> str:
    """What to say of a log in the order of its rows, if a column tells that they run backwards; '' if it does not."""
    if log.ties == "file-reversed":
        return ""
    moments = read_moments(column.to_frame())
    usable = moments.usable
    all_alike = same_user if usable.all() else None
    if not falls(moments.exact[usable], all_alike):
        return ""
    return (
        f"newest first: {column.name} falls along the rows, so histories in their order run backwards; take the rows "
        f"from the last one up with --ties file-reversed, or the time from a column with --time"
    )


def _down(steps: np.ndarray) -> bool:
    down = int((steps < 0).sum())
    return down >= FEWEST and down >= TO_ONE * int((steps > 0).sum())
