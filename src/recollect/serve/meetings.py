"""What users have met lately, for models that look at it: a value that is kept and saved beside the model's memory.

It is advanced with the same events, so that a list need not read them again. Of the last events that the model knows it
has each item once, as `data.last_meetings` has it for a log.
"""

from __future__ import annotations

import numpy as np
import torch

from recollect.contracts import PAD, Met, State


class Meetings:
    """Of the last `last` known events of each user. `timed` False: the times of the events mean nothing.

    The state: `items`, `counts`, `places`, `times` [B last], in the order of the meetings, and how many known `events`
    there were [B]. A place is that of an item's last meeting among the known events, from 0.
    """

    def __init__(self, last: int, *, timed: bool) -> None:
        self.last, self._timed = last, timed

    def fresh(self, users: int) -> State:
        narrow = {name: torch.zeros(users, self.last, dtype=torch.int32) for name in ("items", "counts", "places")}
        times = torch.zeros(users, self.last, dtype=torch.int64)
        return State({**narrow, "times": times, "events": torch.zeros(users, dtype=torch.int64)})

    def advance(
        self, state: State, lengths: np.ndarray, items: np.ndarray, times: np.ndarray, counts: np.ndarray
    ) -> State:
        """Append `lengths[b]` known events to row b. items, times, counts [all events], row after row.

        `counts`: how often the user has met the item, all events there are by then counted.
        """
        if not len(items):
            return state
        before = state["events"].numpy()
        held = np.nonzero(state["items"].numpy())
        new_row = np.repeat(np.arange(len(lengths)), lengths)
        new_place = np.arange(len(items)) + (before - np.cumsum(lengths) + lengths)[new_row]
        row = np.concatenate([held[0], new_row])
        place = np.concatenate([state["places"].numpy()[held], new_place])
        item = np.concatenate([state["items"].numpy()[held], items])
        events = before + lengths
        order = np.lexsort((place, item, row))
        last = np.ones(len(order), bool)
        last[:-1] = (np.diff(row[order]) != 0) | (np.diff(item[order]) != 0)
        kept = order[last]
        kept = kept[place[kept] >= events[row[kept]] - self.last]
        kept = kept[np.lexsort((place[kept], row[kept]))]
        held_now = np.bincount(row[kept], minlength=len(lengths))
        column = np.arange(len(kept)) - (np.cumsum(held_now) - held_now)[row[kept]]
        tensors = {"events": torch.from_numpy(events)}
        values = {"items": item, "places": place}
        for name, new in (("counts", counts), ("times", times)):
            values[name] = np.concatenate([state[name].numpy()[held], new])
        for name, value in values.items():
            table = torch.zeros_like(state[name]).numpy()
            table[row[kept], column] = value[kept]
            tensors[name] = torch.from_numpy(table)
        return State({name: tensors[name] for name in state})

    def met(self, state: State) -> Met:
        """What a request says of it: no more columns than the longest row needs."""
        held = state["items"] != PAD
        width = int(held.sum(1).max()) if len(held) else 0
        names = ("items", "counts", "places", "times")
        items, counts, places, times = (state[name][:, :width].long() for name in names)
        since = (state["events"][:, None] - 1 - places).masked_fill(~held[:, :width], 0)
        return Met(items, counts, since, times if self._timed else None)
