"""What a model is told of the items that a user has met is what the log of the same events says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Met
from recollect.data.last_meetings import LastMeetings
from recollect.serve.sources import Find, Source, met_of, source_of_history, source_of_user
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.volatile import VolatileStore

KNOWN = {"a": 1, "b": 2, "c": 3, "d": 4}
find: Find = KNOWN.get
EVENTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "x", "y"]), st.integers(0, 50)), max_size=25)


def on_a_log(histories: list[list[tuple[str, int]]], last: int) -> Met:
    known = [[(KNOWN[item], time) for item, time in events if item in KNOWN] for events in histories]
    offsets = np.cumsum([0, *map(len, known)])
    codes = np.array([code for events in known for code, _ in events], dtype=np.int64)
    times = np.array([time for events in known for _, time in events], dtype=np.int64)
    return LastMeetings.of(codes, times, offsets).before(offsets[:-1], offsets[1:], last)


def same(one: Met, other: Met) -> None:
    for name in ("items", "counts", "since", "times"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@given(users=st.lists(st.tuples(EVENTS, EVENTS), min_size=1, max_size=4), last=st.integers(1, 9))
def test_what_was_met_is_that_of_a_log_without_the_unknown(
    users: list[tuple[list[tuple[str, int]], list[tuple[str, int]]]], last: int
) -> None:
    store, sources, histories = VolatileStore(), [], []
    for number, (stored, added) in enumerate(users):
        store.append([IncomingEvent(str(number), item, time) for item, time in stored], 0)
        then = [(item, 60) for item, _ in added[:4]]
        sources.append(source_of_user(store, str(number), store.summary(str(number)), then, find))
        histories.append([*store.history(str(number)).events, *then])
    same(met_of(sources, find, last, timed=True), on_a_log(histories, last))
    alone = [source_of_history(events, find) for events in histories]
    same(met_of(alone, find, last, timed=True), on_a_log(histories, last))
    assert met_of(alone, find, last, timed=False).times is None


def test_only_as_many_events_are_read_as_are_needed() -> None:
    read: list[int] = []

    class Watched(VolatileStore):
        def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
            read.append(limit)
            return super().recent_events(user, limit)

    store = Watched()
    store.append([IncomingEvent("ann", "a", 0)] * 500, 0)
    store.append([IncomingEvent("bob", item, 0) for item in ["b", *["x"] * 30]], 0)
    for user, limits, counts in (("ann", [5], [500]), ("bob", [5, 20, 80], [1]), ("nobody", [5], [])):
        read.clear()
        met = met_of([source_of_user(store, user, store.summary(user), (), find)], find, 5, timed=True)
        assert read == limits and met.counts[0].tolist() == counts


@pytest.mark.parametrize("then", [[], ["b", "x"]])
def test_how_often_an_item_was_met_counts_what_may_come_next(then: list[str]) -> None:
    store = VolatileStore()
    store.append([IncomingEvent("ann", item, 0) for item in ["a", "b", "a"]], 0)

    def source(user: str) -> Source:
        return source_of_user(store, user, store.summary(user), [(item, 9) for item in then], find)

    more = bool(then)
    assert list(source("ann").meetings(["a", "b", "c", "x"])) == [2, 1 + more, 0, int(more)]
    assert source("ann").events == 3 + len(then) and source("ann").name == "memory"
    assert source("nobody").name == ("history" if then else "popularity")
    assert source("ann").unknown == (("x",) if then else ())
