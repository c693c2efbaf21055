"""What a list is computed from: how many events, how often each item is among them, and the newest of them.

A memory does not know which items it has read. Which items are hidden as seen, and what a model is told of those that
a user has met, comes from the store.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch

from recollect.contracts import Met
from recollect.data.last_meetings import LastMeetings
from recollect.serve.requests import SourceName
from recollect.serve.stores.contract import Store, UserSummary

FURTHER = 4
"""By how much the newest events are read further back, where too few of them are known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What a response is computed from; see `Response`."""

    name: SourceName
    events: int
    meetings: Callable[[Sequence[str]], Sequence[int]]
    """For each of these items how many of the events are with it. Those with one or more are seen."""
    newest: Callable[[int], Sequence[tuple[str, int]]]
    """The newest events (item, time), so many or all there are, oldest first."""
    unknown: tuple[str, ...] = ()
    """Items of the request itself that the model does not know."""


Find = Callable[[str], int | None]
"""The code of an item; None: the model does not know it."""


def source_of_user(
    store: Store, user: str, summary: UserSummary | None, then: Sequence[tuple[str, int]], find: Find
) -> Source:
    """The events of a user in the store, and `then` (item, time) after them."""

    def meetings(items: Sequence[str]) -> Sequence[int]:
        stored = store.meetings(user, items)
        return [count + added[item] for count, item in zip(stored, items, strict=True)] if added else stored

    def newest(limit: int) -> Sequence[tuple[str, int]]:
        missing = limit - len(then)
        return [*store.recent_events(user, missing), *then] if missing > 0 else then[-limit:]

    added = Counter(item for item, _ in then)
    stored = 0 if summary is None else summary.events
    name: SourceName = "memory" if stored else "history" if then else "popularity"
    return Source(name, stored + len(then), meetings, newest, _unknown(then, find))


def source_of_history(history: Sequence[tuple[str, int]], find: Find) -> Source:
    """The events (item, time) of a request without a user."""
    counts = Counter(item for item, _ in history)
    return Source(
        "history" if history else "popularity",
        len(history),
        lambda items: [counts[one] for one in items],
        lambda limit: history[-limit:],
        _unknown(history, find),
    )


def met_of(sources: Sequence[Source], find: Find, last: int, *, timed: bool) -> Met:
    """What was met in the last `last` events that the model knows, as `data.requests` has it for a log.

    `timed` False: the times of the events mean nothing.
    """
    ids: list[str] = []
    codes: list[int] = []
    times: list[int] = []
    ends: list[int] = []
    for source in sources:
        known = _newest_known(source, find, last)
        ids += [item for item, _, _ in known]
        codes += [code for _, code, _ in known]
        times += [time for _, _, time in known]
        ends.append(len(ids))
    offsets = np.array([0, *ends], dtype=np.int64)
    clock = np.array(times, dtype=np.int64) if timed else None
    met = LastMeetings.of(np.array(codes, dtype=np.int64), clock, offsets).before(offsets[:-1], offsets[1:], last)
    counts = met.counts.clone()
    for row, source in enumerate(sources):
        if source.events > ends[row] - int(offsets[row]):  # some are further back
            places = ends[row] - 1 - met.since[row][met.mask[row]]
            counts[row, : len(places)] = torch.tensor(source.meetings([ids[place] for place in places.tolist()]))
    return dataclasses.replace(met, counts=counts)


def _unknown(events: Sequence[tuple[str, int]], find: Find) -> tuple[str, ...]:
    return tuple(item for item, _ in events if find(item) is None)


def _newest_known(source: Source, find: Find, last: int) -> list[tuple[str, int, int]]:
    """item, code, time of the newest events that the model knows: `last` of them, or all there are."""
    limit = last
    while True:
        events = source.newest(limit)
        known = [(item, code, time) for item, time in events if (code := find(item)) is not None]
        if len(known) >= last or len(events) < limit or limit >= source.events:
            return known[-last:]
        limit *= FURTHER
