"""How many events a list is computed from, and how often each item is among them."""

from __future__ import annotations

import pytest

from recollect.serve.sources import Source, source_of_history, source_of_user
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.volatile import VolatileStore

KNOWN = {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("then", [(), ("b", "x")])
def test_what_may_come_next_is_counted_with_what_is_stored(then: tuple[str, ...]) -> None:
    store = VolatileStore()
    store.append([IncomingEvent("ann", item, 0) for item in ["a", "b", "a"]], 0)

    def source(user: str) -> Source:
        return source_of_user(store, user, store.summary(user), then, KNOWN.get, known=user == "ann")

    more = int(bool(then))
    assert source("ann").counts(["a", "b", "c", "x"]) == {"a": 2, "b": 1 + more, "c": 0, "x": more}
    assert source("nobody").counts(["a", "b"]) == {"a": 0, "b": more}
    assert source("ann").events == 3 + len(then) and source("ann").name == "memory"
    assert source("nobody").name == ("history" if then else "newcomer")
    assert source("ann").unknown == (("x",) if then else ())


def test_a_history_of_a_request_counts_itself() -> None:
    source = source_of_history(("a", "x", "a"), KNOWN.get)
    assert source.counts(["a", "b", "x"]) == {"a": 2, "b": 0, "x": 1}
    assert (source.name, source.events, source.unknown) == ("history", 3, ("x",))
    assert source_of_history((), KNOWN.get).name == "newcomer"
