"""A store that keeps everything in plain lists until the process ends: for tests, and to read first."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence

from recollect.serve.stores.contract import (
    History,
    IncomingEvent,
    Position,
    Receipt,
    SavedMemory,
    UserSummary,
)
from recollect.serve.stores.records import Event


@dataclasses.dataclass
class _User:
    """A user's events with their record numbers, in the order they were taken in, and the saved memory."""

    events: list[tuple[int, Event]] = dataclasses.field(default_factory=list)
    memory: SavedMemory | None = None

    @property
    def summary(self) -> UserSummary:
        late, latest = 0, self.events[0][1].time
        for number, event in self.events:
            late = number if event.time < latest else late
            latest = max(latest, event.time)
        return UserSummary(self.events[0][0], len(self.events), self.events[-1][0], latest, late)

    @property
    def history(self) -> list[tuple[int, Event]]:
        return sorted(self.events, key=lambda one: (one[1].time, one[0]))


class VolatileStore:
    """A `Store` without a folder. Nothing in it is durable."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._users: dict[str, _User] = {}
        self._next = 1

    @property
    def events(self) -> int:
        with self._mutex:
            return sum(len(one.events) for one in self._users.values())

    def append(self, incoming: Sequence[IncomingEvent], now: int) -> list[Receipt]:
        with self._mutex:
            for one in incoming:
                Event(one.user, one.item, one.time or 0, one.id or "-")  # refuse before anything is taken in
            return [self._add(one, now) for one in incoming]

    def refusal(self) -> str | None:
        return None

    def summary(self, user: str) -> UserSummary | None:
        with self._mutex:
            return self._users[user].summary if user in self._users else None

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        with self._mutex:
            everyone = [user for user in self._users if user.startswith(prefix)]
            return [user for user in sorted(everyone, key=str.encode) if user.encode() > after.encode()][:limit]

    def history(self, user: str, position: Position | None = None, *, counts: bool = False) -> History:
        with self._mutex:
            if user not in self._users:
                return History(None, [], complete=True)
            summary, events = self._users[user].summary, self._users[user].history
            met = Counter(event.item for _, event in events)
            complete = position is None or not summary.extends(position)
            if position is not None and not complete:
                events = [one for one in events if one[0] > position.last_record]
            counted = {event.item: met[event.item] for _, event in events} if counts else {}
            return History(summary, [(event.item, event.time) for _, event in events], complete, counted)

    def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
        events = self.history(user).events
        return events[max(0, len(events) - limit) :]

    def meetings(self, user: str, items: Sequence[str]) -> list[int]:
        counts = Counter(item for item, _ in self.history(user).events)
        return [counts[item] for item in items]

    def load_memories(self, users: Sequence[str]) -> list[SavedMemory | None]:
        with self._mutex:
            return [self._users[user].memory if user in self._users else None for user in users]

    def save_memories(self, memories: Iterable[tuple[str, SavedMemory]]) -> None:
        with self._mutex:
            for user, one in memories:
                if user in self._users and one.position.last_record >= self._users[user].summary.first_record:
                    self._users[user].memory = one

    def evict(self, before: float) -> int:
        with self._mutex:
            old = [one for one in self._users.values() if one.memory is not None and one.memory.last_used < before]
            for one in old:
                one.memory = None
            return len(old)

    def forget(self, user: str) -> bool:
        with self._mutex:
            existed = self._users.pop(user, None) is not None
            self._next += existed  # the record that says so takes a number
            return existed

    def compact(self) -> int:
        return 0

    def close(self) -> None:
        pass

    def _add(self, one: IncomingEvent, now: int) -> Receipt:
        event_id = uuid.uuid4().hex if one.id is None else one.id
        user = self._users.setdefault(one.user, _User())
        for number, event in user.events:
            if event.id == event_id:
                return Receipt("repeated" if event.item == one.item else "conflict", number, event_id)
        time = one.time
        if time is None:
            time = max(now, user.summary.latest_time) if user.events else now
        user.events.append((self._next, Event(one.user, one.item, time, event_id)))
        self._next += 1
        return Receipt("new", self._next - 1, event_id)
