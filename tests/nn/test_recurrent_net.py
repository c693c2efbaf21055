"""The recurrent network that three models share: learned start, dropout, constant state, and a gradient everywhere."""

from __future__ import annotations

import pytest
import torch

from recollect.contracts import Events
from recollect.nn.recurrent import Kind
from recollect.nn.recurrent_net import RecurrentNet, RecurrentSettings

each_kind = pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])


def made(kind: Kind, layers: int = 2) -> RecurrentNet:
    torch.manual_seed(0)
    return RecurrentNet(kind, 12, RecurrentSettings(width=6, hidden=8, layers=layers)).eval()


@each_kind
def test_a_user_without_history_has_the_learned_start(kind: Kind) -> None:
    net = made(kind)
    state = net.fresh(2)
    _, after = net(Events.of([[], [3, 4]]), state)
    for before in (state, after):
        assert torch.equal(before["hidden"][0], net.start)
    assert not torch.equal(after["hidden"][1], net.start)


@each_kind
def test_the_last_hidden_vector_is_kept_and_the_state_does_not_grow(kind: Kind) -> None:
    net = made(kind)
    state = net.fresh(2)
    size = state.bytes_per_user
    for lengths in ([5, 1], [0, 90], [2, 0]):
        before = state["hidden"]
        hidden, state = net(Events.of([[1 + n % 11 for n in range(length)] for length in lengths]), state)
        for row, length in enumerate(lengths):
            assert torch.equal(state["hidden"][row], hidden[row, length - 1] if length else before[row])
        assert state.bytes_per_user == size
    assert size == 4 * (6 + 2 * 8 * (2 if kind == "lstm" else 1))


@each_kind
def test_dropout_only_in_training(kind: Kind) -> None:
    net, events = made(kind), Events.of([[1, 2, 3]])
    one, two = (net.train()(events, net.fresh(1))[0] for _ in range(2))
    assert not torch.equal(one, two)
    one, two = (net.eval()(events, net.fresh(1))[0] for _ in range(2))
    assert torch.equal(one, two)


@each_kind
def test_every_parameter_learns(kind: Kind) -> None:
    net = made(kind).train()
    hidden, _ = net(Events.of([[1, 2, 3, 4], [5, 5]]), net.fresh(2))
    (hidden.pow(3).sum() + net.fresh(1)["hidden"].sum()).backward()  # a layer norm's sum and squares are constant
    assert all(p.grad is not None and (p.grad != 0).any() for p in net.parameters())
