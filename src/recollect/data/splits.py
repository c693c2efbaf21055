"""Honest splits. `loo`: last event is test, the one before validation. `temporal`: one clock for everybody.

Sources: leave-one-out as in SASRec (Kang & McAuley 2018); the global timeline as argued by Ji et al. 2023 and the
`temporal` protocol of this project's docs/guide. A user's questions always see everything that user did before.
`everything` holds nothing out: for a model that is used and has been judged before, by another split.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from recollect.data.histories import Questions, Split
from recollect.data.log import DataError, EventLog

SplitName = Literal["loo", "temporal"]
"""Splits that ask questions."""
Target = Literal["first", "last", "all"]
EVERYTHING = "everything trains"
"""What the split that asks nobody is called."""


def loo(log: EventLog) -> Split:
    """Leave-last-two-out: a user's last target is test, the one before validation, and training ends before that.

    Users with fewer than three events, or fewer than two targets behind their first event, train and are not asked.
    """
    starts, ends = log.offsets[:-1], log.offsets[1:]
    places = np.arange(len(log)) if log.targets is None else np.flatnonzero(log.targets)
    places = places[places > starts[log.users[places]]]  # a first event has no history to answer from
    later = np.searchsorted(places, ends)
    asked = np.flatnonzero(later - np.searchsorted(places, starts) >= 2)
    if len(asked) == 0:
        kinds = "" if log.targets is None else " with two that are asked for behind the first"
        raise DataError(
            f"{log.name}: no user has three events{kinds}, so leave-one-out can ask nobody; use more data or another "
            "split"
        )
    validation, test = places[later[asked] - 2], places[later[asked] - 1]
    train_ends = ends.copy()
    train_ends[asked] = validation
    few = "fewer than 3 events" if log.targets is None else "fewer than 2 targets behind their first event"
    return Split(
        log,
        "loo",
        train_ends,
        Questions(asked, validation),
        Questions(asked, test),
        {f"users not asked ({few})": int(len(starts) - len(asked))},
    )


def temporal(log: EventLog, *, validation: float = 0.8, test: float = 0.9, target: Target = "last") -> Split:
    """Cut at the times below which `validation` and `test` of all events lie; training uses nothing after.

    Each user is asked for the `first`, `last` or `all` of their events in each period. Events at a cut belong after it.
    """
    if not log.clock:
        raise DataError(f"{log.name}: a temporal split needs times, and this log has only an order; use loo")
    if not 0 < validation < test < 1:
        raise DataError(f"temporal split: need 0 < validation < test < 1, got {validation} and {test}")
    ordered = np.sort(log.times)
    cut_validation = ordered[int(validation * len(ordered))]
    cut_test = ordered[int(test * len(ordered))]
    if cut_validation == ordered[0] or cut_validation == cut_test:
        raise DataError(f"{log.name}: times are too alike for the cuts {validation} and {test}; use loo")
    train = log.times < cut_validation
    train_ends = log.offsets[:-1] + np.bincount(log.users[train], minlength=len(log.user_ids))
    middle = ~train & (log.times < cut_test)
    late = log.times >= cut_test
    known = np.bincount(log.items[train], minlength=log.item_ids.size) > 0
    asked_late = asked_in(log, late, target)
    unseen = int((~known[log.items[asked_late.positions]]).sum())
    return Split(
        log,
        f"temporal(validation {validation}, test {test}, target {target})",
        train_ends,
        asked_in(log, middle, target),
        asked_late,
        {"test targets unseen in training": unseen},
    )


def everything(log: EventLog) -> Split:
    """All events train and nobody is asked, so nothing can be measured."""
    nobody = Questions(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return Split(log, EVERYTHING, log.offsets[1:], nobody, nobody)


def asked_in(log: EventLog, period: np.ndarray, target: Target) -> Questions:
    """The first, last or all of each user's targets among the events of a period ([events] bool), as questions."""
    positions = np.flatnonzero(period if log.targets is None else period & log.targets)
    users = log.users[positions].astype(np.int64)
    if target == "first":
        keep = np.concatenate([[True], users[1:] != users[:-1]]) if len(users) else np.zeros(0, bool)
    elif target == "last":
        keep = np.concatenate([users[1:] != users[:-1], [True]]) if len(users) else np.zeros(0, bool)
    else:
        keep = np.ones(len(users), bool)
    return Questions(users[keep], positions[keep])
