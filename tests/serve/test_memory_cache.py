"""The memories at hand: those used last are there, and nothing that has changed goes without being handed out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import State
from recollect.serve import memory_cache as module
from recollect.serve.memory_cache import MemoryCache
from recollect.serve.stores.contract import Position


def state(values: Sequence[int]) -> State:
    return State({"a": torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, 3), "b": torch.tensor(values)})


def values(one: State) -> list[int]:
    assert torch.equal(one["a"], one["b"][:, None].expand(-1, 3).float())
    return one["b"].tolist()


def position(value: int) -> Position:
    return Position(value, value, value)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "read", "take", "drop", "clean"]), st.sets(st.integers(0, 9), max_size=4)),
        max_size=40,
    ),
    capacity=st.integers(4, 8),
)
def test_it_is_a_dictionary_that_forgets_what_was_used_longest_ago(
    steps: list[tuple[str, set[int]]], capacity: int
) -> None:
    spilt: dict[str, int] = {}

    one = MemoryCache(state([0]), capacity * state([0]).bytes_per_user)
    assert one.capacity == capacity
    expected: dict[str, int] = {}  # the one used longest ago first
    changed: dict[str, int] = {}
    gone: dict[str, int] = {}
    for number, (what, chosen) in enumerate(steps, 1):
        users = [f"user-{user}" for user in sorted(chosen)]
        there = [user for user in users if user in expected]
        if what in ("put", "read"):
            left = one.put(users, state([number] * len(users)), [position(number)] * len(users), changed=what == "put")
            if left is not None:
                assert [one.last_record for one in left[2]] == values(left[1])
                spilt.update(zip(left[0], values(left[1]), strict=True))
            for user in there:
                expected[user] = expected.pop(user)
            while len(expected) + len(users) - len(there) > capacity:
                old = next(iter(expected))
                if old in changed:
                    gone[old] = changed.pop(old)
                del expected[old]
            expected |= dict.fromkeys(users, number)
            if what == "put":
                changed |= dict.fromkeys(users, number)
            else:
                changed |= {user: number for user in users if user in changed}
        elif what == "take":
            assert values(one.get(there)) == [expected[user] for user in there]
            for user in there:
                expected[user] = expected.pop(user)
        elif what == "drop":
            for user in users:
                one.drop(user)
                expected.pop(user, None)
                changed.pop(user, None)
        else:
            # Some have changed since they were saved.
            one.mark_saved(users, [position(changed.get(user, 0) - (place % 2)) for place, user in enumerate(users)])
            changed = {user: value for user, value in changed.items() if user not in users[::2]}
        assert len(one) == len(expected)
        assert {user: one.position(user) for user in expected} == {
            user: position(value) for user, value in expected.items()
        }
        assert one.position("stranger") is None
        assert one.unsaved == len(changed)
        assert set(one.changed(99)) == set(changed) and one.changed(2) == one.changed(99)[:2]
        assert spilt == gone


def test_room_grows_as_it_is_needed(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "FIRST_ROWS", 2)
    one = MemoryCache(state([0]), 1000 * state([0]).bytes_per_user)
    for number in range(1, 500):
        one.put([f"user-{number}"], state([number]), [position(number)])
    assert values(one.get([f"user-{number}" for number in range(1, 500)])) == list(range(1, 500))
    assert one._rows.users == 512


def test_more_than_there_is_room_for_are_not_all_kept() -> None:
    one = MemoryCache(state([0]), 3 * state([0]).bytes_per_user)
    users = [f"user-{number}" for number in range(5)]
    one.put(users, state(range(5)), [position(number) for number in range(5)])
    assert len(one) == 3 and values(one.get(users[:3])) == [0, 1, 2] and one.position("user-3") is None


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    one = MemoryCache(state([0]), 3 * state([0]).bytes_per_user)
    one.put(["ann"], state([1]), [position(1)])
    with pytest.raises(KeyError):
        one.put(["ann", "bob"], State({"a": torch.zeros(2, 3)}), [position(2), position(2)])
    assert one.position("ann") == position(1) and one.position("bob") is None and len(one) == 1
    one.put(["bob", "cleo"], state([2, 3]), [position(2), position(3)])
    assert values(one.get(["bob", "cleo"])) == [2, 3]


def test_memories_without_size_are_bounded_all_the_same() -> None:
    nothing = State({"none": torch.zeros(1, 0)})
    assert MemoryCache(nothing, 1 << 40).capacity == module.MOST_ROWS
    assert MemoryCache(state([0]), 0).capacity == 1
