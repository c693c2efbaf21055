"""A store that keeps everything in plain lists and forgets it when the process ends: for tests, and to read first."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterable, Sequence

from recollect.serve.stores.contract import Arrival, Mark, Past, Profile, Receipt, Saved
from recollect.serve.stores.records import Event


@dataclasses.dataclass
class _User:
    """The user's events with their numbers, in the order they came, and the memory that was saved last."""

    events: list[tuple[int, Event]] = dataclasses.field(default_factory=list)
    memory: Saved | None = None

    @property
    def profile(self) -> Profile:
        late, newest = 0, self.events[0][1].time
        for number, event in self.events:
            late = number if event.time < newest else late
            newest = max(newest, event.time)
        return Profile(self.events[0][0], len(self.events), self.events[-1][0], newest, late)

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

    def append(self, arrivals: Sequence[Arrival], now: int) -> list[Receipt]:
        with self._mutex:
            for one in arrivals:
                Event(one.user, one.item, one.time or 0, one.id or "-")  # refuse before anything is taken in
            return [self._take(one, now) for one in arrivals]

    def profile(self, user: str) -> Profile | None:
        with self._mutex:
            return self._users[user].profile if user in self._users else None

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        with self._mutex:
            everyone = [user for user in self._users if user.startswith(prefix)]
            return [user for user in sorted(everyone, key=str.encode) if user.encode() > after.encode()][:limit]

    def past(self, user: str, held: Mark | None = None) -> Past:
        with self._mutex:
            if user not in self._users:
                return Past(None, [], anew=True)
            profile, history = self._users[user].profile, self._users[user].history
            anew = held is None or not profile.extends(held)
            lacking = history if held is None or anew else [one for one in history if one[0] > held.last]
            return Past(profile, [(event.item, event.time) for _, event in lacking], anew)

    def newest(self, user: str, limit: int) -> list[tuple[str, int]]:
        history = self.past(user).events
        return history[max(0, len(history) - limit) :]

    def has_seen(self, user: str, items: Sequence[str]) -> list[bool]:
        own = {item for item, _ in self.past(user).events}
        return [item in own for item in items]

    def saved(self, users: Sequence[str]) -> list[Saved | None]:
        with self._mutex:
            return [self._users[user].memory if user in self._users else None for user in users]

    def save(self, memories: Iterable[tuple[str, Saved]]) -> None:
        with self._mutex:
            for user, one in memories:
                if user in self._users and one.mark.last >= self._users[user].profile.number:
                    self._users[user].memory = one

    def evict(self, before: float) -> int:
        with self._mutex:
            old = [one for one in self._users.values() if one.memory is not None and one.memory.used < before]
            for one in old:
                one.memory = None
            return len(old)

    def forget(self, user: str) -> bool:
        with self._mutex:
            there = self._users.pop(user, None) is not None
            self._next += there  # as the record that says so
            return there

    def compact(self) -> int:
        return 0

    def close(self) -> None:
        pass

    def _take(self, one: Arrival, now: int) -> Receipt:
        own = uuid.uuid4().hex if one.id is None else one.id
        user = self._users.setdefault(one.user, _User())
        for number, event in user.events:
            if event.id == own:
                return Receipt("repeated" if event.item == one.item else "conflict", number, own)
        time = one.time
        if time is None:
            time = max(now, user.profile.newest) if user.events else now
        user.events.append((self._next, Event(one.user, one.item, time, own)))
        self._next += 1
        return Receipt("new", self._next - 1, own)
