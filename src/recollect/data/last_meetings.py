"""What a user has met lately, at any place of a history: which items, how often, how long ago, and after what.

An event is the last meeting of its item until the user meets that again. So each event knows the place up to which it
is the last one, and what was met before a place is the events near it that still are.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from torch import Tensor

from recollect.contracts import PAD, Met
from recollect.data.batches import Step
from recollect.data.blocks import ranges
from recollect.data.first_meetings import by_item


@dataclasses.dataclass(frozen=True, eq=False)
class LastMeetings:
    """Histories end to end, with what each event is to the others of its user and item."""

    items: np.ndarray
    times: np.ndarray | None
    until: np.ndarray
    """[events]: the place of the user's next event of the same item; the number of events where there is none."""
    nth: np.ndarray
    """[events]: which meeting of its item it is for its user, from 1."""
    offsets: np.ndarray
    """[users + 1]: where each history begins."""

    @classmethod
    def of(cls, items: np.ndarray, times: np.ndarray | None, offsets: np.ndarray) -> LastMeetings:
        """items, times [events] of the histories `offsets[u]:offsets[u + 1]`; times None: they mean nothing."""
        events = len(items)
        order, again = by_item(items, offsets)
        until, nth = np.full(events, events, dtype=np.int64), np.zeros(events, dtype=np.int64)
        until[order[:-1][again[1:]]] = order[1:][again[1:]]
        place = np.arange(events)
        nth[order] = place - np.maximum.accumulate(np.where(again, 0, place)) + 1
        return cls(items, times, until, nth, offsets)

    def before(self, starts: np.ndarray, ends: np.ndarray, last: int) -> Met:
        """What was met in the last `last` events of each `starts[q]:ends[q]`, in the order of the meetings.

        These are histories, or their last parts, and then nothing before them counts.
        """
        events, row = self._last(starts, ends, last)
        count = np.bincount(row, minlength=len(ends))
        column = np.arange(len(row)) - (np.cumsum(count) - count)[row]

        def packed(values: np.ndarray, filler: int) -> torch.Tensor:
            table = np.full((len(ends), int(count.max(initial=0))), filler, dtype=np.int64)
            table[row, column] = values
            return torch.from_numpy(table)

        times = None if self.times is None else packed(self.times[events], 0)
        counts = self._counts(events, row, starts)
        followed = self._followed(events, row, starts, ends, last)
        since = ends[row] - 1 - events
        return Met(packed(self.items[events], PAD), packed(counts, 0), packed(since, 0), packed(followed, 0), times)

    def of_step(
        self, step: Step, targets: np.ndarray, last: int, at: bool, context: int | None = None
    ) -> dict[str, Tensor]:
        """What was met before each target of a batch, list after list, in the order of `targets` [B T] bool.

        `met_lengths` [B T] says how long the list of each cell is. `at`: seconds are counted up to the target's own
        time, as when the request time is used, else up to the event before it. `context`: nothing counts that lies
        further back than so many events.
        """
        row, cell = np.nonzero(targets)
        starts = self.offsets[step.rows][row]
        ends = starts + step.first[row] + cell
        if context is not None:
            starts = np.maximum(starts, ends - context)
        events, which = self._last(starts, ends, last)
        lengths = np.zeros(targets.shape, dtype=np.int64)
        lengths[row, cell] = np.bincount(which, minlength=len(ends))
        found = {
            "met_lengths": lengths,
            "met_items": self.items[events].astype(np.int64),
            "met_counts": self._counts(events, which, starts),
            "met_since": ends[which] - 1 - events,
            "met_followed": self._followed(events, which, starts, ends, last),
        }
        if self.times is not None:
            found["met_elapsed"] = self.times[ends[which] - (not at)] - self.times[events]
        return {name: torch.from_numpy(values) for name, values in found.items()}

    def _last(self, starts: np.ndarray, ends: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The events that are the last meetings of their items before `ends`, and the history of each."""
        events, row = ranges(np.maximum(starts, ends - last), ends)
        kept = self.until[events] >= ends[row]
        return events[kept], row[kept]

    def _counts(self, events: np.ndarray, row: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """How often the user of each of these events has met its item, from `starts[row]` up to the event."""
        # Asked of the rows and not of their many events: this is part of every training step.
        if np.array_equal(self.offsets[np.searchsorted(self.offsets, starts, side="right") - 1], starts):
            return self.nth[events]
        rank, keys, _ = self._by_meeting
        group = keys[rank[events]] - events
        return rank[events] - np.searchsorted(keys, group + starts[row]) + 1

    def _followed(
        self, events: np.ndarray, row: np.ndarray, starts: np.ndarray, ends: np.ndarray, last: int
    ) -> np.ndarray:
        """How often the item of each of these events, which `_last` found, came right after that of the newest event,
        among the last `last` events of each `starts[q]:ends[q]`."""
        rank, keys, order = self._by_meeting
        asked = np.flatnonzero(ends > starts)
        newest = ends[asked] - 1
        oldest = np.maximum(starts, ends - last)[asked]
        # Earlier meetings of that item stand right before its newest one.
        earlier, of = ranges(np.searchsorted(keys, keys[rank[newest]] - newest + oldest), rank[newest])
        after, of = order[earlier] + 1, asked[of]
        # What came after them is counted at the last meeting of the same item, which is the one that was found.
        found = order[np.searchsorted(keys, keys[rank[after]] - after + ends[of]) - 1]
        whole = len(order) + 1
        place = np.searchsorted(row * whole + events, of * whole + found)
        return np.bincount(place, minlength=len(events))

    @functools.cached_property
    def _by_meeting(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[events] each: the place of each event among all, sorted by user and item; in that order a number that is
        the event's own plus one for its user and item, so that the numbers rise; and the events in that order."""
        order, again = by_item(self.items, self.offsets)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return rank, order + (np.cumsum(~again) - 1) * (len(order) + 1), order
