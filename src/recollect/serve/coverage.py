"""How much of what a store holds a model knows: a model of another catalogue would serve newcomers' lists to everybody.

The newest events of some users tell. Reading all events of a large store would take minutes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from recollect.serve.stores.contract import Store

USERS, NEWEST = 1000, 20
"""Users that are looked at, in the order of their ids, and events of each."""

ENOUGH = 0.5
"""A model that knows a smaller share of the events is warned about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """What a model knows of the newest events of some users of a store."""

    users: int
    events: int
    known_events: int
    items: int
    """Different items of these events."""
    known_items: int

    @property
    def share(self) -> float:
        """Of these events those that the model knows, 0 to 1; 1 where there are no events."""
        return self.known_events / self.events if self.events else 1.0

    @property
    def none(self) -> bool:
        """Whether there are events, and the model knows none."""
        return self.events > 0 and self.known_events == 0

    @property
    def low(self) -> bool:
        """Whether the model knows too few of the events."""
        return self.share < ENOUGH

    def __str__(self) -> str:
        if not self.events:
            return "there are no events yet"
        return (
            f"it knows {self.known_items:,} of the {self.items:,} items in the newest {self.events:,} events of "
            f"{self.users:,} users, and {self.known_events:,} of these events"
        )


def coverage(store: Store, find: Callable[[str], int | None]) -> Coverage:
    """Look at the newest events of some users. `find`: the code of an item, None where the model does not know it."""
    users = store.users(limit=USERS)
    items = [item for user in users for item, _ in store.recent_events(user, NEWEST)]
    distinct = set(items)
    known = {item for item in distinct if find(item) is not None}
    return Coverage(len(users), len(items), sum(item in known for item in items), len(distinct), len(known))
