"""GRU and LSTM against torch's own stacks, user by user, and their state against a run in one piece."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from recollect.contracts import Events, State
from recollect.nn.recurrent import Recurrent

KINDS = ["gru", "lstm"]
Kind = Literal["gru", "lstm"]


def stacked(ours: Recurrent, width: int) -> nn.Module:
    """torch's stack of the same layers with the same weights."""
    make = nn.GRU if ours.kind == "gru" else nn.LSTM
    theirs = make(width, ours.hidden, num_layers=len(ours.layers), batch_first=True)
    for depth, layer in enumerate(ours.layers):
        for name, weight in layer.state_dict().items():
            getattr(theirs, name.replace("l0", f"l{depth}")).data.copy_(weight)
    return theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_is_torchs_stack_on_each_users_own_events(kind: Kind, layers: int) -> None:
    torch.manual_seed(0)
    ours = Recurrent(kind, 4, 6, layers)
    theirs = stacked(ours, 4)
    lengths = [5, 0, 7, 1]
    x = torch.randn(4, 7, 4)
    h, state = ours(x, Events(torch.ones(4, 7, dtype=torch.int64), torch.tensor(lengths)), ours.fresh(4))
    for row, length in enumerate(lengths):
        if length == 0:
            assert all((part[row] == 0).all() for part in state.values())
            continue
        wanted, end = theirs(x[row : row + 1, :length])
        torch.testing.assert_close(h[row, :length], wanted[0])
        ends = {"h": end} if kind == "gru" else dict(zip("hc", end, strict=True))
        for name, part in ends.items():
            torch.testing.assert_close(state[name][row], part.flatten())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0, 1, 4, 6])
def test_a_carried_state_is_a_whole_run(kind: Kind, cut: int) -> None:
    torch.manual_seed(1)
    cell, x = Recurrent(kind, 3, 5, 2), torch.randn(3, 6, 3)
    events = Events(torch.ones(3, 6, dtype=torch.int64), torch.tensor([6, 3, 0]))
    whole, end = cell(x, events, cell.fresh(3))
    _, middle = cell(x[:, :cut], events.span(0, cut), cell.fresh(3))
    second, after = cell(x[:, cut:], events.span(cut, 6), middle)
    torch.testing.assert_close(second[0], whole[0, cut:])
    for name in end:
        torch.testing.assert_close(after[name], end[name])


@pytest.mark.parametrize("kind", KINDS)
def test_no_events_keep_the_state_bit_for_bit(kind: Kind) -> None:
    cell = Recurrent(kind, 3, 5)
    state = State({name: torch.randn_like(part) for name, part in cell.fresh(2).items()})
    for width in (0, 4):
        events = Events(torch.ones(2, width, dtype=torch.int64), torch.tensor([0, 0]))
        _, after = cell(torch.randn(2, width, 3), events, state)
        assert all(torch.equal(after[name], state[name]) for name in state)
