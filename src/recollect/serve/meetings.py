"""What users have met lately, for models that look at it: a value that is kept and saved beside the model's memory.

It is advanced with the same events, so that a list need not read them again: it holds the last events that the model
knows, and says of them what `data.last_meetings` says of those of a log.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from recollect.contracts import PAD, Met, State
from recollect.data.last_meetings import LastMeetings


class Meetings:
    """Of the last `last` known events of each user. `timed` False: the times of the events mean nothing.

    The state: `items`, `counts`, `times` [B last] of these events, oldest first and right-padded, and how many there
    are, `held` [B]. A count is how often the item was met by then or later; that of its newest event is up to date.
    """

    def __init__(self, last: int, *, timed: bool) -> None:
        self.last, self._timed = last, timed

    def fresh(self, users: int) -> State:
        narrow = {name: torch.zeros(users, self.last, dtype=torch.int32) for name in ("items", "counts")}
        times = torch.zeros(users, self.last, dtype=torch.int64)
        return State({**narrow, "times": times, "held": torch.zeros(users, dtype=torch.int64)})

    def advance(
        self, state: State, lengths: np.ndarray, items: np.ndarray, times: np.ndarray, counts: np.ndarray
    ) -> State:
        """Append `lengths[b]` known events to row b. items, times, counts [all events], row after row.

        `counts`: how often the user has met the item, all events there are by then counted.
        """
        if not len(items):
            return state
        held = state["held"].numpy()
        old_row, old_place = np.nonzero(state["items"].numpy())
        new_row = np.repeat(np.arange(len(lengths)), lengths)
        new_place = np.arange(len(items)) + (held - np.cumsum(lengths) + lengths)[new_row]
        events = held + lengths
        row, place = np.concatenate([old_row, new_row]), np.concatenate([old_place, new_place])
        place = place - np.maximum(events - self.last, 0)[row]
        kept = place >= 0
        tensors = {"held": torch.from_numpy(np.minimum(events, self.last))}
        for name, new in (("items", items), ("counts", counts), ("times", times)):
            values = np.concatenate([state[name].numpy()[old_row, old_place], new])
            table = torch.zeros_like(state[name]).numpy()
            table[row[kept], place[kept]] = values[kept]
            tensors[name] = torch.from_numpy(table)
        return State({name: tensors[name] for name in state})

    def met(self, state: State) -> Met:
        """What a request says of it: no more columns than the longest row needs."""
        items, held = state["items"].numpy(), state["held"].numpy()
        real = items != PAD
        offsets = np.concatenate([[0], np.cumsum(held)])
        meetings = LastMeetings.of(
            items[real].astype(np.int64), state["times"].numpy()[real] if self._timed else None, offsets
        )
        met = meetings.before(offsets[:-1], offsets[1:], self.last)
        # It has counted these events alone; of all there were the count stands at the last meeting of each.
        place = (state["held"][:, None] - 1 - met.since).clamp(min=0)
        counts = state["counts"].long().gather(1, place).masked_fill(~met.mask, 0)
        return dataclasses.replace(met, counts=counts)
