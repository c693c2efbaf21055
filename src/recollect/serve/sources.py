"""What a list is computed from: how many events, and how often each item is among them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

from recollect.serve.requests import SourceName
from recollect.serve.stores.contract import Store, UserSummary

Find = Callable[[str], int | None]
"""The code of an item; None: the model does not know it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What a response is computed from; see `Response`."""

    name: SourceName
    events: int
    meetings: Callable[[Sequence[str]], Sequence[int]]
    """For each of these items how many of the events are with it. Those with one or more are seen."""
    unknown: tuple[str, ...] = ()
    """Items of the request itself that the model does not know."""

    def counts(self, items: Sequence[str]) -> dict[str, int]:
        """The same by item."""
        return dict(zip(items, self.meetings(items), strict=True)) if items else {}


def source_of_user(
    store: Store, user: str, summary: UserSummary | None, then: Sequence[str], find: Find, *, known: bool
) -> Source:
    """The events of a user in the store, and `then` after them. `known`: whether the model knows a stored one."""
    added = Counter(then)

    def meetings(items: Sequence[str]) -> Sequence[int]:
        stored = store.meetings(user, items)
        return [count + added[item] for count, item in zip(stored, items, strict=True)] if added else stored

    stored = 0 if summary is None else summary.events
    name: SourceName = "memory" if known else _name(then, find)
    return Source(name, stored + len(then), meetings, _unknown(then, find))


def source_of_history(history: Sequence[str], find: Find) -> Source:
    """The items of a request without a user."""
    counts = Counter(history)
    return Source(
        _name(history, find), len(history), lambda items: [counts[one] for one in items], _unknown(history, find)
    )


def _name(items: Sequence[str], find: Find) -> SourceName:
    """What a list is computed from where these items are all there is."""
    return "history" if any(find(one) is not None for one in items) else "newcomer"


def _unknown(items: Sequence[str], find: Find) -> tuple[str, ...]:
    return tuple(one for one in items if find(one) is None)
