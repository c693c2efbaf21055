"""Which items a user has met before each event: for a loss that leaves them out, as the seen-filter does.

The distinct items of a history, in the order in which they were first met, are kept once; what was met before an event
is a prefix of them, so that a batch needs one list a row and one number a cell.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from recollect.contracts import Histories
from recollect.data.batches import Step
from recollect.data.blocks import ranges


def by_item(items: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events of histories, user by user and item by item -> their places [events], meetings of one item in the order of
    the history; and which of these meet their item again [events] bool."""
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((items, users))  # stable
    again = np.zeros(len(order), bool)
    again[1:] = (users[order][1:] == users[order][:-1]) & (items[order][1:] == items[order][:-1])
    return order, again


@dataclasses.dataclass(frozen=True, eq=False)
class FirstMeetings:
    """The first meetings of every user and item, in the order of the histories."""

    items: np.ndarray
    """[F] int64: the item of each first meeting."""
    before: np.ndarray
    """[events + 1] int64: how many first meetings stand before each event."""
    offsets: np.ndarray
    """[users + 1]: where each history begins."""

    @classmethod
    def of(cls, histories: Histories) -> FirstMeetings:
        order, again = by_item(histories.items, histories.offsets)
        first = np.ones(len(order), bool)
        first[order[again]] = False
        before = np.concatenate([[0], np.cumsum(first)])
        return cls(np.asarray(histories.items[first], dtype=np.int64), before, np.asarray(histories.offsets))

    def of_step(self, step: Step) -> dict[str, Tensor]:
        """What was met before each cell of a batch: of row b the first `seen_counts[b, t]` of
        `seen_items[seen_begins[b]:seen_begins[b + 1]]`, which are all that it meets until the step's end."""
        start = self.offsets[step.rows]
        stop = np.minimum(start + step.last, self.offsets[step.rows + 1])  # a row that has ended has no cells here
        oldest, ends = self.before[start], self.before[stop]
        index, _ = ranges(oldest, ends)
        places = np.minimum((start + step.first)[:, None] + np.arange(step.width), stop[:, None])
        return {
            "seen_items": torch.from_numpy(self.items[index]),
            "seen_begins": torch.from_numpy(np.concatenate([[0], np.cumsum(ends - oldest)])),
            "seen_counts": torch.from_numpy(self.before[places] - oldest[:, None]),
        }
