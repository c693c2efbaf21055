"""One store and one of plain lists are told and asked the same, in any order; their answers must be the same."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from recollect.serve.stores.contract import Arrival, Mark, Saved, Store
from recollect.serve.stores.volatile import VolatileStore

USERS, ITEMS = ["ann", "bob", "a" * 256, "\N{SNOWMAN}"], [f"item|{number}" for number in range(6)]
ARRIVALS = st.builds(
    Arrival,
    st.sampled_from(USERS),
    st.sampled_from(ITEMS),
    st.none() | st.integers(-5, 5) | st.sampled_from([-(2**53), 2**53]),
    st.none() | st.sampled_from([f"id-{number}" for number in range(8)]),
)


class ToldTheSame(RuleBasedStateMachine):
    """A subclass makes the store in `begin`, and opens it again, as a new process would, in `reopen`."""

    store: Store
    moments = Bundle("moments")

    def begin(self) -> Store:
        raise AssertionError("to be made by a subclass")

    def reopen(self) -> Store:
        raise AssertionError("to be made by a subclass")

    @initialize()
    def start(self) -> None:
        self.lists, self.store, self.now = VolatileStore(), self.begin(), 0

    @rule(arrivals=st.lists(ARRIVALS, max_size=6), tick=st.integers(-2, 3))
    def append(self, arrivals: list[Arrival], tick: int) -> None:
        self.now += tick  # clocks step back as well
        mine, theirs = (store.append(arrivals, self.now) for store in (self.store, self.lists))
        for one, other, arrival in zip(mine, theirs, arrivals, strict=True):
            assert (one.outcome, one.number) == (other.outcome, other.number)
            assert arrival.id in (None, one.id)

    @rule(user=st.sampled_from(USERS))
    def forget(self, user: str) -> None:
        assert self.store.forget(user) == self.lists.forget(user)

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = self.reopen()

    @rule(moment=moments, used=st.integers(0, 9), data=st.binary(max_size=9000))
    def save_too_late(self, moment: tuple[str, Mark], used: int, data: bytes) -> None:
        """Somebody may have forgotten the user since, and they may be back."""
        self.save(*moment, used, data)

    @rule(user=st.sampled_from(USERS), used=st.integers(0, 9), data=st.binary(max_size=9000))
    def save_now(self, user: str, used: int, data: bytes) -> None:
        profile = self.lists.profile(user)
        self.save(user, Mark(0, 0, 0) if profile is None else profile.mark, used, data)

    def save(self, user: str, mark: Mark, used: int, data: bytes) -> None:
        for store in (self.store, self.lists):
            store.save([(user, Saved("abcdef", mark, used, data))])

    @rule(before=st.integers(0, 9))
    def evict(self, before: int) -> None:
        assert self.store.evict(before) == self.lists.evict(before)

    @rule(target=moments, user=st.sampled_from(USERS))
    def mark(self, user: str) -> tuple[str, Mark]:
        profile = self.lists.profile(user)
        return user, Mark(0, 0, 0) if profile is None else profile.mark

    @rule(moment=moments)
    def go_on(self, moment: tuple[str, Mark]) -> None:
        """A memory of then and the events since make a memory of now, wherever the store says so."""
        user, mark = moment
        past, whole = self.store.past(user, mark), self.lists.past(user)
        assert past == self.lists.past(user, mark)
        assert past.events == whole.events[0 if past.anew else mark.count :]

    @invariant()
    def same_answers(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.users() == self.lists.users() and self.store.events == self.lists.events
        for asked in ({"after": "ann", "limit": 2}, {"prefix": "a"}, {"prefix": "a", "after": "ann"}, {"prefix": "b"}):
            assert self.store.users(**asked) == self.lists.users(**asked)  # type: ignore[arg-type]
        assert self.store.saved(USERS) == self.lists.saved(USERS)
        for user in [*USERS, "stranger"]:
            assert self.store.profile(user) == self.lists.profile(user)
            assert self.store.past(user) == self.lists.past(user)
            assert self.store.newest(user, 3) == self.lists.newest(user, 3)
            assert self.store.has_seen(user, ITEMS) == self.lists.has_seen(user, ITEMS)
        for user, memory in zip(USERS, self.store.saved(USERS), strict=True):
            profile = self.store.profile(user)
            assert memory is None or (profile is not None and memory.mark.last >= profile.number)
