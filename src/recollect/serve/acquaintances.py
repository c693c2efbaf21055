"""Who has any event that the model knows. Whoever has none is a newcomer to it, however many events there are."""

from __future__ import annotations

from collections.abc import Callable

from recollect.serve.stores.contract import History, Store

NEWEST = 16
"""Events of a user that are looked at first; the whole history only where the model knows none of them."""

MOST = 1 << 20
"""Users that are remembered at most."""


class Acquaintances:
    """Users with events that one model knows, as far as they were asked for. Threads may share it.

    `find`: the code of an item, None where the model does not know it.
    """

    def __init__(self, find: Callable[[str], int | None], most: int = MOST) -> None:
        self._find, self._most = find, most
        self._first_records: dict[str, int] = {}  # of known users; who was forgotten and came back has another one

    def include(self, store: Store, user: str, history: History) -> bool:
        """Whether the model knows an event of a user. `history`: all events or the newest, as just read."""
        if history.summary is None:
            return False
        first = history.summary.first_record
        if self._first_records.get(user) == first:
            return True
        known = self._any(history.events) or (
            not history.complete
            and (self._any(store.recent_events(user, NEWEST)) or self._any(store.history(user).events))
        )
        if known:
            if len(self._first_records) >= self._most:
                self._first_records.clear()
            self._first_records[user] = first
        return known

    def _any(self, events: list[tuple[str, int]]) -> bool:
        return any(self._find(item) is not None for item, _ in events)
