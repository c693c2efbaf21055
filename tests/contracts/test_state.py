"""A state is a value: users can be taken out and put together, parts nested, bytes made of it, and nothing is lost."""

from __future__ import annotations

import pytest
import torch

from recollect.contracts import State

USERS = 5


def state(seed: int = 0, users: int = USERS) -> State:
    """Numbers of every type that models keep, with those that a careless copy would lose."""
    draw = torch.Generator().manual_seed(seed)
    cell = torch.randn(users, 3, 2, generator=draw)
    cell[0, 0] = torch.tensor([-torch.inf, torch.nan])
    return State(
        {
            "long.0.cell": cell,
            "long.0.peak": torch.randn(users, generator=draw).to(torch.bfloat16),
            "short.hidden": torch.randn(users, 4, generator=draw, dtype=torch.float64),
            "held": torch.randint(-(2**62), 2**62, (users,), generator=draw),
            "met": torch.rand(users, 1, generator=draw) < 0.5,
        }
    )


def same(one: State, two: State) -> bool:
    """The same names, types, shapes and bits."""
    raw = [
        {n: (t.dtype, t.shape, t.contiguous().reshape(-1).view(torch.uint8).tolist()) for n, t in s.items()}
        for s in (one, two)
    ]
    return raw[0] == raw[1]


def test_bytes_bring_it_back_bit_for_bit() -> None:
    before = state()
    after = State.from_bytes(before.to_bytes())
    assert same(before, after)
    assert before.to_bytes() == after.to_bytes()
    assert not same(before, state(seed=1))


def test_a_strided_tensor_is_stored_as_it_reads() -> None:
    before = State({"cell": torch.arange(12.0).view(3, 4).T})
    assert State.from_bytes(before.to_bytes())["cell"].tolist() == before["cell"].tolist()


def test_users_taken_out_and_stacked_are_the_same_users() -> None:
    whole = state()
    assert same(State.stack([whole.rows([row]) for row in range(USERS)]), whole)
    order = torch.tensor([3, 1, 4, 0, 2])
    assert same(whole.rows(order).rows(torch.argsort(order)), whole)
    assert same(whole.rows(slice(1, 3)), whole.rows(torch.tensor([False, True, True, False, False])))


def test_parts_nest() -> None:
    whole = state()
    parts = {"long": whole.part("long"), "short": whole.part("short"), "held": whole["held"], "met": whole["met"]}
    assert set(parts["long"]) == {"0.cell", "0.peak"}
    assert same(State.join(parts), whole)
    assert set(whole.part("lon")) == set()


def test_it_counts_users_and_bytes() -> None:
    assert state().users == USERS
    assert state().bytes_per_user == 3 * 2 * 4 + 2 + 4 * 8 + 8 + 1
    assert state(users=1).bytes_per_user == state().bytes_per_user


def test_a_mapping_that_nobody_writes_to() -> None:
    source = {"cell": torch.zeros(2, 1)}
    value = State(source)
    source["other"] = torch.zeros(2, 1)
    assert set(value) == {"cell"}
    with pytest.raises(TypeError):
        value["cell"] = torch.ones(2, 1)  # type: ignore[index]
