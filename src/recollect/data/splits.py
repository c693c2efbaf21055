"""Honest splits. `loo`: last event is test, the one before validation. `temporal`: one clock for everybody.

Sources: leave-one-out as in SASRec (Kang & McAuley 2018); the global timeline as argued by Ji et al. 2023 and the
`temporal` protocol of this project's docs/guide. Before a target stands everything that its user did.
`everything` holds nothing out: for a model that is used and has been judged before, by another split.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from recollect.data.histories import Split, Targets
from recollect.data.log import DataError, EventLog, expect_log

SplitName = Literal["loo", "temporal"]
"""Splits that hold targets out."""
Target = Literal["first", "last", "all"]
EVERYTHING = "everything trains"
"""What the split that holds nothing out is called."""


def loo(log: EventLog, *, events: int = 1) -> Split:
    """Leave-last-two-out: a user's last target is test, the one before validation, and training ends before that.

    `events`: so many each instead of one, for a log of few users with long histories; each is asked given all that came
    before it. Users with fewer than three events, or fewer than two targets behind their first event (twice `events`),
    train and have no targets. Raises DataError where nobody has any, ValueError for `events` below 1.
    """
    if events < 1:
        raise ValueError(f"loo: events must be at least 1, got {events}")
    starts, ends = expect_log(log).offsets[:-1], log.offsets[1:]
    places = np.arange(len(log)) if log.targets is None else np.flatnonzero(log.targets)
    places = places[places > starts[log.users[places]]]  # a first event has no history to answer from
    later = np.searchsorted(places, ends)
    users = np.flatnonzero(later - np.searchsorted(places, starts) >= 2 * events)
    kinds = "" if log.targets is None else f" with {2 * events} targets behind the first"
    need = f"{2 * events + 1} events{kinds}"
    if len(users) == 0:
        raise DataError(
            f"{log.name}: no user has {need}, so leave-one-out can ask nobody; use more data or another split"
        )
    held = later[users, None] - 2 * events + np.arange(2 * events)  # [U 2n] places, oldest first
    validation, test = places[held[:, :events]].ravel(), places[held[:, events:]].ravel()
    train_ends = ends.copy()
    train_ends[users] = places[held[:, 0]]
    few = f"{2 * events} targets behind their first event"
    name = "loo" if events == 1 else f"loo(events {events})"
    asked = np.repeat(users, events)
    return Split(
        log,
        name,
        train_ends,
        Targets(asked, validation, f"{name}, validation"),
        Targets(asked, test, f"{name}, test"),
        {f"users without targets (fewer than {need if log.targets is None else few})": int(len(starts) - len(users))},
    )


def temporal(log: EventLog, *, validation: float = 0.8, test: float = 0.9, target: Target = "last") -> Split:
    """Cut at the times below which `validation` and `test` of all events lie; training uses nothing after.

    The `first`, `last` or `all` of a user's events in each period are targets. Events at a cut belong after it.
    """
    if not expect_log(log).clock:
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
    late_targets = targets_in(log, late, target)
    name = f"temporal(validation {validation}, test {test}, target {target})"
    unseen = int((~known[log.items[late_targets.positions]]).sum())
    middle_targets = targets_in(log, middle, target)
    return Split(
        log,
        name,
        train_ends,
        dataclasses.replace(middle_targets, split=f"{name}, validation"),
        dataclasses.replace(late_targets, split=f"{name}, test"),
        {
            f"of the {len(late_targets):,} test targets, those of items that training has not": unseen,
            f"of the {len(middle_targets):,} validation targets, those of newcomers (no event before)": newcomers(
                log, middle_targets
            ),
            f"of the {len(late_targets):,} test targets, those of newcomers (no event before)": newcomers(
                log, late_targets
            ),
        },
    )


def everything(log: EventLog) -> Split:
    """All events train and there are no targets, so nothing can be measured."""
    nobody = Targets(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return Split(log, EVERYTHING, log.offsets[1:], nobody, nobody)


def newcomers(log: EventLog, targets: Targets) -> int:
    """How many targets have no event of their user before them."""
    return int((targets.positions == log.offsets[targets.users]).sum())


def targets_in(log: EventLog, period: np.ndarray, target: Target) -> Targets:
    """The first, last or all of what each user did in a period ([events] bool) and may be a target."""
    positions = np.flatnonzero(period if log.targets is None else period & log.targets)
    users = log.users[positions].astype(np.int64)
    if target == "first":
        keep = np.concatenate([[True], users[1:] != users[:-1]]) if len(users) else np.zeros(0, bool)
    elif target == "last":
        keep = np.concatenate([users[1:] != users[:-1], [True]]) if len(users) else np.zeros(0, bool)
    else:
        keep = np.ones(len(users), bool)
    return Targets(users[keep], positions[keep])
