"""RNN, GRU and LSTM against torch's own stacks, user by user, and their state against a run in one piece."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recollect.contracts import Events, State
from recollect.nn.recurrent import Kind, Recurrent

KINDS: list[Kind] = ["rnn", "gru", "lstm"]


def stacked(ours: Recurrent, width: int) -> nn.Module:
    """torch's stack of the same layers with the same weights."""
    make = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[ours.kind]
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
        ends = dict(zip("hc", end, strict=True)) if kind == "lstm" else {"h": end}
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


@pytest.mark.parametrize("kind", KINDS)
def test_it_stays_in_fp32_under_autocast(kind: Kind) -> None:
    torch.manual_seed(2)
    cell, x = Recurrent(kind, 3, 5, 2), torch.randn(3, 6, 3)
    events = Events(torch.ones(3, 6, dtype=torch.int64), torch.tensor([6, 0, 2]))
    _, start = cell(torch.randn(3, 6, 3), events, cell.fresh(3))
    plain, end = cell(x, events, start)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, after = cell(x, events, start)
        none, _ = cell(x[:, :0].bfloat16(), events.span(0, 0), start)
    assert torch.equal(mixed, plain) and none.dtype == torch.float32
    assert all(torch.equal(after[name], end[name]) and after[name].dtype == torch.float32 for name in start)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_nobody(kind: Kind) -> None:
    cell = Recurrent(kind, 3, 5, 2)
    events = Events(torch.ones(0, 4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    h, after = cell(torch.randn(0, 4, 3), events, cell.fresh(0))
    assert h.shape == (0, 4, 5) and all(part.shape == (0, 10) for part in after.values())


def test_gradients_stop_at_padding() -> None:
    """What stands in padded cells gets no gradient through h at real positions, nor through the state."""
    for kind in KINDS:
        cell, x = Recurrent(kind, 3, 5), torch.randn(2, 4, 3, requires_grad=True)
        h, state = cell(x, Events(torch.ones(2, 4, dtype=torch.int64), torch.tensor([4, 2])), cell.fresh(2))
        (slope,) = torch.autograd.grad(h[1, :2].sum() + sum(part[1].sum() for part in state.values()), x)
        assert (slope[1, 2:] == 0).all() and (slope[1, :2] != 0).all()
