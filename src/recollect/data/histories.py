"""Ragged histories, and targets: what a split leaves for training, and what it holds out.

A `Split` never copies events: training is a prefix of each user's history, and a target is a position in the log,
whose history is everything that user did before it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import numpy as np

from recollect.contracts import Catalog
from recollect.data.blocks import ranges
from recollect.data.log import EventLog, Vocabulary
from recollect.display import Display, Displayed


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ragged:
    """Events of many users end to end: row u is `offsets[u]:offsets[u + 1]`, oldest first."""

    items: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray | None = None
    """[events] float32: how much each counts as a target of training, 0 for context only; None: all alike."""

    def __repr__(self) -> str:
        longest = int(self.lengths.max(initial=0))
        return f"Ragged({len(self):,} rows, {len(self.items):,} events, at most {longest:,} in a row)"

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        """The item codes of each row."""
        return (self.items[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True))

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def rows(self, some: np.ndarray) -> Ragged:
        """The rows of these numbers, in this order; a row may come again."""
        return self._spans(self.offsets[:-1][some], self.offsets[1:][some])

    def last(self, events: int) -> Ragged:
        """The last so many events of every row."""
        return self._spans(np.maximum(self.offsets[:-1], self.offsets[1:] - events), self.offsets[1:])

    def _spans(self, starts: np.ndarray, ends: np.ndarray) -> Ragged:
        """Rows of the events `starts[r]:ends[r]`."""
        index, _ = ranges(starts, ends)
        return Ragged(self.items[index], self.times[index], np.concatenate([[0], np.cumsum(ends - starts)]))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Targets:
    """What is to be predicted: the events at `positions` of the log, each given all its user did before.

    Sorted by (user, position), so that a user's targets are ranked in one walk along the history.
    """

    users: np.ndarray
    positions: np.ndarray
    split: str = ""
    """How the log was cut and which part this is (`loo, test`); empty for targets that were chosen by hand."""

    def __repr__(self) -> str:
        return f"Targets({self!s})"

    def __str__(self) -> str:
        users = int((np.diff(self.users) != 0).sum()) + bool(len(self))
        return f"{len(self):,} targets of {users:,} users"

    def __len__(self) -> int:
        return len(self.positions)


Questions = Targets
"""The name of `Targets` before; goes with version 0.2."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split(Displayed):
    """A log cut for honest measuring. `train_ends[u]` is one past user u's last training event."""

    log: EventLog
    protocol: str
    train_ends: np.ndarray
    validation: Targets
    test: Targets
    notes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def _display(self) -> Display:
        lengths = self.train_ends - self.log.offsets[:-1]
        facts = [
            ("training", f"{int(lengths.sum()):,} events of {int((lengths > 0).sum()):,} users"),
            ("validation", str(self.validation)),
            ("test", str(self.test)),
            *((what, f"{count:,}") for what, count in self.notes.items() if count),
        ]
        return Display(f"Split of {self.log.name}: {self.protocol}", facts)

    @functools.cached_property
    def train(self) -> Ragged:
        """What a model may learn from: one row a user, rows may be empty. A copy, made once."""
        return ragged(self.log, self.log.offsets[:-1], self.train_ends)

    @property
    def held_out(self) -> int:
        """How many events of the log are no training events."""
        return len(self.log) - int((self.train_ends - self.log.offsets[:-1]).sum())

    @property
    def catalog(self) -> Catalog:
        counts = np.bincount(self.train.items, minlength=self.log.item_ids.size)
        return Catalog(self.log.item_ids.size, counts)


def ragged(log: EventLog, starts: np.ndarray, ends: np.ndarray) -> Ragged:
    """The slices `starts[u]:ends[u]` of the log, end to end."""
    lengths = ends - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    weights = None if log.weights is None else log.weights[index]
    return Ragged(log.items[index].astype(np.int64), log.times[index], offsets, weights)


def known_histories(log: EventLog, items: Vocabulary) -> tuple[Ragged, int]:
    """Every user's whole history in the item codes of a model -> (histories, events of unknown items left out)."""
    if np.array_equal(log.item_ids.ids, items.ids):
        return Ragged(log.items.astype(np.int64), log.times, log.offsets), 0
    codes = np.concatenate([[0], items.encode(log.item_ids.ids.tolist(), unknown=0)])[log.items]
    keep = codes != 0
    lengths = np.bincount(log.users[keep], minlength=len(log.user_ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(codes[keep], log.times[keep], offsets), int((~keep).sum())
