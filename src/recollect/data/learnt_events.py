"""Which events a model has learnt from, kept as one number an event, so that a later run cannot ask for one of them.

Neither a digest of the log nor the names of splits can tell: a log that is filtered otherwise, or cut from other files,
holds the same events in other places. An event is its user, its item and its time, whatever log it stands in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from recollect.data.histories import Split, Targets
from recollect.data.log import DataError, EventLog, Vocabulary
from recollect.data.parquet import read_columns, write_columns

RECORD = "learnt.parquet"
"""The file in the folder of a trained model."""

_METADATA, _FORMAT = "recollect.learnt", 1


@dataclasses.dataclass(frozen=True, eq=False)
class LearntEvents:
    """The events that weights come from, those of older weights they started from among them."""

    numbers: np.ndarray
    """[events] int64, sorted: a hash of user, item and time; an event that was learnt twice stands twice."""
    clock: bool
    """False where the log had only an order: an event is then its user and its item."""
    until: int | None
    """The time of the latest one, in seconds; None without a clock."""
    unrecorded: bool = False
    """Whether older weights bring events that no number stands for."""
    unrecorded_until: int | None = None
    """The time of the latest of those, where it is known."""
    users: np.ndarray | None = None
    """[users] int64, sorted: a hash of every user whose events they are; None where that is not known."""

    @classmethod
    def of(cls, split: Split) -> LearntEvents:
        """The training part of a split."""
        log = split.log
        learnt = np.flatnonzero(_in_training(split))
        until = int(log.times[learnt].max()) if log.clock and len(learnt) else None
        users = _numbers_of_users(log, np.unique(log.users[learnt]))
        return cls(np.sort(_numbers(log, learnt, timed=log.clock)), log.clock, until, users=users)

    def with_older(self, older: LearntEvents) -> LearntEvents:
        """With the events of the weights that training started from."""
        until = max((one for one in (self.until, older.until) if one is not None), default=None)
        users = None
        if self.users is not None and older.users is not None and not older.unrecorded:
            users = np.union1d(self.users, older.users)
        if older.clock != self.clock:  # their numbers mean something else
            return LearntEvents(self.numbers, self.clock, until, True, older.until, users)
        mine, theirs = (np.unique(one.numbers, return_counts=True) for one in (self, older))
        every = np.union1d(mine[0], theirs[0])
        times = np.maximum(_counted(every, *mine), _counted(every, *theirs))
        return LearntEvents(np.repeat(every, times), self.clock, until, older.unrecorded, older.unrecorded_until, users)

    def among(self, split: Split, targets: Targets) -> np.ndarray:
        """[targets] bool: which targets have been learnt, or may have been by what is not recorded.

        Where an event stands in a log more than once, those copies count as learnt that the rest of the log lacks.
        """
        log = split.log
        learnt = np.zeros(len(targets), dtype=bool)
        if log.clock == self.clock and len(self.numbers):
            asked, which, copies = np.unique(
                _numbers(log, targets.positions, timed=self.clock), return_inverse=True, return_counts=True
            )
            there = _numbers(log, np.arange(len(log)), timed=self.clock)
            there = np.sort(there[np.isin(there, asked)])
            learnt = (_copies(self.numbers, asked) > _copies(there, asked) - copies)[which]
        if self.unrecorded_until is not None and log.clock:
            learnt |= log.times[targets.positions] <= self.unrecorded_until
        return learnt

    def known(self, log: EventLog, positions: np.ndarray) -> int:
        """How many of the events at these positions of a log are among them; 0 where only one of both has a clock."""
        if log.clock != self.clock:
            return 0
        return int(np.isin(_numbers(log, positions, timed=self.clock), self.numbers).sum())

    def of_others(self, log: EventLog, users: np.ndarray) -> bool:
        """Whether it is known that no event of these users [n] of a log has been learnt, whatever its time."""
        if self.users is None:
            return False
        return not np.isin(_numbers_of_users(log, np.unique(users)), self.users).any()

    def save(self, path: Path) -> None:
        """Raises DataError where it cannot be written."""
        about = {"format": _FORMAT, **{name: getattr(self, name) for name in _ABOUT}}
        columns = {"event": self.numbers}
        if self.users is not None and len(self.users) <= len(self.numbers):
            about[_USERS] = len(self.users)
            columns["user"] = np.append(self.users, np.zeros(len(self.numbers) - len(self.users), np.int64))
        write_columns(path, columns, {_METADATA: json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> LearntEvents:
        """Raises DataError where the file is damaged, or of a newer format."""
        columns, metadata = read_columns(path)
        try:
            about: dict[str, Any] = json.loads(metadata[_METADATA])
            if about["format"] > _FORMAT:
                raise DataError(f"{path}: format {about['format']} is newer than {_FORMAT}; update recollect")
            users = columns["user"][: about[_USERS]] if _USERS in about else None
            return cls(columns["event"], **{name: about[name] for name in _ABOUT}, users=users)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: no record of learnt events; train the model again") from None


_USERS = "users"
"""How many rows of the column `user` count: columns have one length, and users are no more than events."""
_ABOUT = ("clock", "until", "unrecorded", "unrecorded_until")


def _in_training(split: Split) -> np.ndarray:
    inside: np.ndarray = np.arange(len(split.log)) < split.train_ends[split.log.users]
    return inside


def _numbers(log: EventLog, positions: np.ndarray, *, timed: bool) -> np.ndarray:
    """[positions] int64: a number for user, item and, if `timed`, time; ids are taken as they are written."""
    users, items = _of_ids(log.user_ids)[log.users[positions]], _of_ids(log.item_ids)[log.items[positions]]
    mixed = _mix(users ^ _mix(items))
    if timed:
        mixed = _mix(mixed ^ _mix(log.times[positions].astype(np.int64).view(np.uint64)))
    return mixed.view(np.int64)


def _numbers_of_users(log: EventLog, users: np.ndarray) -> np.ndarray:
    """[users] int64, sorted, of user codes that are all different."""
    return np.sort(_mix(_of_ids(log.user_ids)[users]).view(np.int64))


def _of_ids(ids: Vocabulary) -> np.ndarray:
    """[vocabulary size] uint64."""
    digests = (hashlib.blake2b(str(one).encode("utf-8", "surrogatepass"), digest_size=8).digest() for one in ids.ids)
    return np.concatenate([np.zeros(ids.first, np.uint64), np.frombuffer(b"".join(digests), dtype="<u8")])


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014), after its constant is added so that 0 is no fixed point."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _counted(wanted: np.ndarray, known: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How often each of `wanted` was counted; `known` is a sorted part of it."""
    found = np.zeros(len(wanted), dtype=np.int64)
    found[np.searchsorted(wanted, known)] = counts
    return found


def _copies(numbers: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How often each of `wanted` stands in sorted `numbers`."""
    found: np.ndarray = np.searchsorted(numbers, wanted, "right") - np.searchsorted(numbers, wanted, "left")
    return found
