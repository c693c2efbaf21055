"""What the service keeps, behind one set of calls: events, which must not be lost, and memories, which may be.

A store takes events and makes them durable before it says so; it answers what a user's events are, in the order of
their time, and keeps the memories that a model made of them. `embedded` is a folder on this machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol


class StoreError(RuntimeError):
    """The store cannot do what was asked now. What was acknowledged is safe; the message says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it comes in."""

    user: str
    item: str
    time: int | None = None
    """Seconds; None: now, and not before the user's other events."""
    id: str | None = None
    """The sender's own, so that sending again changes nothing; None: it cannot be sent again without doubling."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an arrival."""

    outcome: Literal["new", "repeated", "conflict"]
    """`repeated`: the user has an event with this id and this item already. `conflict`: one with this id and another
    item. Neither changes anything."""
    number: int
    """Of the event in the journal: the new one, or the one that was there."""
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """How far a memory has come: which events of its user it holds."""

    last: int
    """The journal's number of the newest record among them; 0 for a memory of nothing."""
    count: int
    newest: int
    """The latest time of any."""


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a user at once."""

    number: int
    count: int
    """Events."""
    last: int
    """The journal's number of the one that came last."""
    newest: int
    """The latest time of any."""
    late: int
    """The journal's number of the last one that came late: whose time was before another's. 0 where none did."""

    @property
    def mark(self) -> Mark:
        """That of a memory of all events."""
        return Mark(self.last, self.count, self.newest)

    def extends(self, mark: Mark) -> bool:
        """True if all events that a memory with this mark lacks come after those it holds."""
        if mark.count == 0:
            return True
        return max(self.number, self.late) <= mark.last <= self.last and mark.count <= self.count


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """Events of a user at one moment, in the order of their time, equal times in the order they came."""

    profile: Profile | None
    events: list[tuple[str, int]]
    """item, time."""
    anew: bool
    """True if these are all events, False if they are those that a memory lacked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    """A memory as bytes, with what is needed to know whether it is still good."""

    maker: str
    """Names the model and the program that made it, in at most 12 letters; nobody else can read it."""
    mark: Mark
    used: float
    """When it was last advanced or loaded, in seconds."""
    data: bytes


class Store(Protocol):
    """Threads may share a store. Every call raises StoreError where it cannot be done."""

    @property
    def events(self) -> int:
        """How many events there are of all users."""
        ...

    def append(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        """Take events in; they are durable when this returns. `now`: seconds, for arrivals without a time.

        Raises ValueError where an arrival cannot be kept (an id too long, say); nothing is taken in then.
        """
        ...

    def profile(self, user: str) -> Profile | None:
        """None for a user without events."""
        ...

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        """Those who have events, in the order of their ids as bytes, from the one after `after` on."""
        ...

    def past(self, user: str, held: Mark | None = None) -> Past:
        """What a memory with this mark lacks, or where it is of no use, the whole history; all at one moment."""
        ...

    def newest(self, user: str, limit: int) -> list[tuple[str, int]]:
        """The end of the user's history, oldest first, at the price of what is asked for."""
        ...

    def has_seen(self, user: str, items: Sequence[str]) -> list[bool]:
        """Whether each item is among the user's events. Costs what is asked for, however long the history is."""
        ...

    def saved(self, users: Sequence[str]) -> list[Saved | None]:
        """The memory of each user, None where there is none. Whether it is still good, its mark and digest say."""
        ...

    def save(self, memories: Iterable[tuple[str, Saved]]) -> None:
        """Keep memories, each in the place of an older one; none that is made of events which are forgotten."""
        ...

    def evict(self, before: float) -> int:
        """Drop the memories that were last used before a moment -> how many; the events can give them back."""
        ...

    def forget(self, user: str) -> bool:
        """Make all events of a user void, durably -> whether there were any. `compact` takes them out of the files."""
        ...

    def compact(self) -> int:
        """Take what was forgotten out of the files -> how many events."""
        ...

    def close(self) -> None: ...
