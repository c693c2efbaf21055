"""One store and one of plain lists are told and asked the same, in any order; their answers must be the same."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from recollect.serve.stores.contract import IncomingEvent, Position, SavedMemory, Store
from recollect.serve.stores.volatile import VolatileStore

USERS, ITEMS = ["ann", "bob", "a" * 256, "\N{SNOWMAN}"], [f"item|{number}" for number in range(6)]
ARRIVALS = st.builds(
    IncomingEvent,
    st.sampled_from(USERS),
    st.sampled_from(ITEMS),
    st.none() | st.integers(-5, 5) | st.sampled_from([-(2**53), 2**53]),
    st.none() | st.sampled_from([f"id-{number}" for number in range(8)]),
)


class AgainstReference(RuleBasedStateMachine):
    """A subclass makes the store in `begin`, and opens it again, as a new process would, in `reopen`."""

    store: Store
    moments = Bundle("moments")

    def begin(self) -> Store:
        raise AssertionError("to be made by a subclass")

    def reopen(self) -> Store:
        raise AssertionError("to be made by a subclass")

    @initialize()
    def start(self) -> None:
        self.reference, self.store, self.now = VolatileStore(), self.begin(), 0

    @rule(incoming=st.lists(ARRIVALS, max_size=6), tick=st.integers(-2, 3))
    def append(self, incoming: list[IncomingEvent], tick: int) -> None:
        self.now += tick  # clocks step back as well
        mine, theirs = (store.append(incoming, self.now) for store in (self.store, self.reference))
        for one, other, event in zip(mine, theirs, incoming, strict=True):
            assert (one.outcome, one.number) == (other.outcome, other.number)
            assert event.id in (None, one.id)

    @rule(user=st.sampled_from(USERS))
    def forget(self, user: str) -> None:
        assert self.store.forget(user) == self.reference.forget(user)

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = self.reopen()

    @rule(moment=moments, used=st.integers(0, 9), data=st.binary(max_size=9000))
    def save_too_late(self, moment: tuple[str, Position], used: int, data: bytes) -> None:
        """Somebody may have forgotten the user since, and they may be back."""
        self.save(*moment, used, data)

    @rule(user=st.sampled_from(USERS), used=st.integers(0, 9), data=st.binary(max_size=9000))
    def save_now(self, user: str, used: int, data: bytes) -> None:
        summary = self.reference.summary(user)
        self.save(user, Position(0, 0, 0) if summary is None else summary.position, used, data)

    def save(self, user: str, position: Position, used: int, data: bytes) -> None:
        for store in (self.store, self.reference):
            store.save_memories([(user, SavedMemory("abcdef", position, used, data))])

    @rule(before=st.integers(0, 9))
    def evict(self, before: int) -> None:
        assert self.store.evict(before) == self.reference.evict(before)

    @rule(target=moments, user=st.sampled_from(USERS))
    def position(self, user: str) -> tuple[str, Position]:
        summary = self.reference.summary(user)
        return user, Position(0, 0, 0) if summary is None else summary.position

    @rule(moment=moments)
    def go_on(self, moment: tuple[str, Position]) -> None:
        """A memory of then and the events since make a memory of now, wherever the store says so."""
        user, position = moment
        history, whole = self.store.history(user, position), self.reference.history(user)
        assert history == self.reference.history(user, position) and history.counts == {}
        counted = self.store.history(user, position, counts=True)
        assert counted == self.reference.history(user, position, counts=True)
        assert counted.counts == Counter(item for item, _ in whole.events if item in dict(history.events))
        assert history.events == whole.events[0 if history.complete else position.events :]

    @invariant()
    def same_answers(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.users() == self.reference.users() and self.store.events == self.reference.events
        for asked in ({"after": "ann", "limit": 2}, {"prefix": "a"}, {"prefix": "a", "after": "ann"}, {"prefix": "b"}):
            assert self.store.users(**asked) == self.reference.users(**asked)  # type: ignore[arg-type]
        assert self.store.load_memories(USERS) == self.reference.load_memories(USERS)
        for user in [*USERS, "stranger"]:
            assert self.store.summary(user) == self.reference.summary(user)
            assert self.store.history(user) == self.reference.history(user)
            assert self.store.recent_events(user, 3) == self.reference.recent_events(user, 3)
            assert self.store.meetings(user, ITEMS) == self.reference.meetings(user, ITEMS)
        for user, memory in zip(USERS, self.store.load_memories(USERS), strict=True):
            summary = self.store.summary(user)
            assert memory is None or (summary is not None and memory.position.last_record >= summary.first_record)
