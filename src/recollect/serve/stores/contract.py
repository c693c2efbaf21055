"""The interface of a store, which keeps two things: events, which must not be lost, and memories, which may be.

A store makes events durable before it acknowledges them. It returns a user's events in the order of their time, and
keeps the memory that a model made of them (its state for that user, as bytes). `embedded` is a folder on this machine,
`redis` a server that several workers share.

The events of a store are numbered in the order in which they were taken in, from 1. Such a number is called a record
number below; forgetting a user takes one as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol


class StoreError(RuntimeError):
    """The store cannot do this now. What was acknowledged is safe. The message says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as a client sends it."""

    user: str
    item: str
    time: int | None = None
    """Seconds since 1970. None: the present, but not before the user's other events."""
    id: str | None = None
    """The client's own id, which makes it safe to send the event again. None: the store gives it one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an incoming event."""

    outcome: Literal["new", "repeated", "conflict"]
    """`repeated`: the user already has an event with this id and this item. `conflict`: already one with this id and
    another item. Neither changes anything."""
    number: int
    """The event's record number: the new one, or that of the event which was already there."""
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """How far a memory has read: which events of its user it holds."""

    last_record: int
    """The highest record number among them; 0 for a memory without events."""
    events: int
    """How many they are."""
    latest_time: int
    """The latest time among them."""


@dataclasses.dataclass(frozen=True, slots=True)
class UserSummary:
    """A few numbers about the events of a user, which are kept up to date and so cost one look-up."""

    first_record: int
    """The record number of the event that was taken in first. It also serves as the user's number in an index."""
    events: int
    """How many events there are."""
    last_record: int
    """The record number of the event that was taken in last."""
    latest_time: int
    """The latest time of any event."""
    late_record: int
    """The record number of the last event that came late: after one with a later time. 0 where none did."""

    @property
    def position(self) -> Position:
        """The position of a memory that holds all events."""
        return Position(self.last_record, self.events, self.latest_time)

    def extends(self, position: Position) -> bool:
        """True if all events that a memory at this position lacks come after those it holds."""
        if position.events == 0:
            return True
        usable_from = max(self.first_record, self.late_record)
        return usable_from <= position.last_record <= self.last_record and position.events <= self.events


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """Events of a user as they were at one moment, in the order of their time; equal times in the order taken in."""

    summary: UserSummary | None
    """None for a user without events."""
    events: list[tuple[str, int]]
    """item, time."""
    complete: bool
    """True if these are all events of the user, False if they are only those that a memory lacked."""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    """How many of all events of the user are with each item in `events`; empty unless it was asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class SavedMemory:
    """A memory as bytes, with what is needed to tell whether it can still be used."""

    fingerprint: str
    """Identifies the model, the layout and the version of the program, in at most 12 letters. A memory is read only by
    a program with the same fingerprint."""
    position: Position
    last_used: float
    """When it was last advanced or loaded, in seconds since 1970."""
    data: bytes


class Store(Protocol):
    """Threads may share a store. Every call raises StoreError where it cannot be done."""

    @property
    def events(self) -> int:
        """How many events there are of all users."""
        ...

    def append(self, incoming: Sequence[IncomingEvent], now: int) -> list[Receipt]:
        """Take events in; they are durable when this returns. `now`: seconds, for events without a time.

        Raises ValueError where an event cannot be kept (its id is too long, say); then none of them is taken in.
        """
        ...

    def refusal(self) -> str | None:
        """Why events could not be taken in now, as far as can be told without taking one in; None: nothing is known of
        it."""
        ...

    def summary(self, user: str) -> UserSummary | None:
        """None for a user without events."""
        ...

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        """Users with events whose id begins with `prefix`, in the byte order of their ids, from the one after
        `after`."""
        ...

    def history(self, user: str, position: Position | None = None, *, counts: bool = False) -> History:
        """The events that a memory at this position lacks; all events, where it cannot be used or there is none.

        `counts`: also say how often each of their items was met.
        """
        ...

    def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
        """The newest events of the user (item, time), oldest of them first. Costs as much as `limit`."""
        ...

    def meetings(self, user: str, items: Sequence[str]) -> list[int]:
        """For each item how many events the user has with it; those with one or more are seen. The length of the
        history does not matter."""
        ...

    def load_memories(self, users: Sequence[str]) -> list[SavedMemory | None]:
        """The saved memory of each user, None where there is none. The caller checks its position and fingerprint."""
        ...

    def save_memories(self, memories: Iterable[tuple[str, SavedMemory]]) -> None:
        """Save the memories of users, each replacing an older one. One made of forgotten events is left out."""
        ...

    def evict(self, before: float) -> int:
        """Delete the memories that were last used before this time -> how many. They can be made again."""
        ...

    def forget(self, user: str) -> bool:
        """Make all events of a user void, durably -> whether there were any. `compact` removes them from the files."""
        ...

    def compact(self) -> int:
        """Remove what was forgotten from the files -> how many events."""
        ...

    def close(self) -> None: ...
