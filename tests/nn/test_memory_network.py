"""MIMN's memory against its equations in NumPy float64, one user, one event and one slot at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.contracts import Events, State
from recollect.nn.memory_network import FAINT, MemoryNetwork, Rebalance, gru_step

RULES: list[Rebalance] = ["normalised", "product", "none"]


def made(d: int, h: int, m: int, k: int, rule: Rebalance, seed: int = 0) -> MemoryNetwork:
    """A network in fp64 whose weights are large enough for gates and addressing to be far from even."""
    torch.manual_seed(seed)
    net = MemoryNetwork(d, h, m, k, rule).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    return net


def of_lengths(lengths: list[int], width: int | None = None) -> Events:
    return Events.of([[1] * length for length in lengths], width=width)


def used(net: MemoryNetwork, users: int, seed: int = 9) -> State:
    """The state of users who have seen 7 events, but for the last one, who has seen none."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(users, 7, net.width, generator=draw, dtype=torch.float64)
    return net(x, of_lengths([7] * (users - 1) + [0], 7), net.fresh(users))[1].detach()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum()


def cosine(key: np.ndarray, slot: np.ndarray) -> float:
    return float(key @ slot / (np.linalg.norm(key) * max(np.linalg.norm(slot), FAINT)))


def gru(cell: nn.GRUCell, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Cho et al. 2014, with the reset gate after the product, as torch and cuDNN have it."""
    gates = [
        (w @ x + b, u @ h + c)
        for w, b, u, c in zip(
            *(np.split(p.detach().numpy(), 3) for p in (cell.weight_ih, cell.bias_ih, cell.weight_hh, cell.bias_hh)),
            strict=True,
        )
    ]
    reset, update = sigmoid(sum(gates[0])), sigmoid(sum(gates[1]))
    return (1 - update) * np.tanh(gates[2][0] + reset * gates[2][1]) + update * h


def published(net: MemoryNetwork, x: np.ndarray, start: dict[str, np.ndarray]) -> tuple[list[np.ndarray], dict]:
    """x [T d] of one user -> what is known after each event, and the state after the last."""
    s = {name: part.copy() for name, part in start.items()}
    weight = {name: p.detach().numpy() for name, p in net.named_parameters()}
    d, m, known = net.width, net.slots, []
    sum_of_weights = s["usage"] * s["events"]
    for event in x:
        s["control"] = gru(net.controller, np.concatenate([event, s["read"]]), s["control"])
        p = weight["heads.weight"] @ s["control"] + weight["heads.bias"]
        keys, add, erase = np.tanh(p[: 2 * d]).reshape(2, d), np.tanh(p[2 * d : 3 * d]), sigmoid(p[3 * d : 4 * d])
        beta = 2 * (1 + np.logaddexp(0, p[4 * d :]))
        found = [
            [b * (cosine(k, s["slots"][i]) + cosine(k, weight["addresses"][i])) / 2 for i in range(m)]
            for k, b in zip(keys, beta, strict=True)
        ]
        reading, writing = (softmax(np.array(row)) for row in found)
        s["read"] = sum(reading[i] * s["slots"][i] for i in range(m))
        if net.rebalance != "none":
            writing = writing * softmax(weight["transfer"] @ (sum_of_weights / max(1, s["events"])))
        if net.rebalance == "normalised":
            writing = writing / writing.sum()
        for i in range(m):
            s["slots"][i] = s["slots"][i] * (1 - writing[i] * erase) + writing[i] * add
        sum_of_weights = sum_of_weights + writing
        s["events"] = s["events"] + 1
        s["usage"] = sum_of_weights / s["events"]
        parts = [s["control"], s["read"]]
        if net.channels:
            for i in np.argsort(-reading, kind="stable")[: net.channels]:
                s["channels"][i] = gru(net.induction, np.concatenate([s["slots"][i], event]), s["channels"][i])
            parts.append(sum(reading[i] * s["channels"][i] for i in range(m)))
        known.append(np.concatenate(parts))
    return known, s


@settings(max_examples=30)
@given(
    d=st.integers(2, 4),  # in one dimension all cosines are 1 or -1, and which slot is read most is left to rounding
    h=st.integers(1, 5),
    m=st.integers(1, 5),
    k=st.integers(0, 3),
    rule=st.sampled_from(RULES),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
)
def test_it_is_the_published_recurrence(
    d: int, h: int, m: int, k: int, rule: Rebalance, lengths: list[int], seed: int
) -> None:
    net = made(d, h, m, min(k, m), rule, seed)
    x = 2 * torch.randn(len(lengths), 9, d, dtype=torch.float64)
    state = used(net, len(lengths), seed)
    known, after = net(x, of_lengths(lengths, 9), state)
    for row, length in enumerate(lengths):
        start = {name: part[row].numpy() for name, part in state.items()}
        wanted, end = published(net, x[row, :length].numpy(), start)
        for t in range(length):
            np.testing.assert_allclose(known[row, t].detach().numpy(), wanted[t], rtol=1e-8, atol=1e-10)
        for name, part in end.items():
            np.testing.assert_allclose(after[name][row].detach().numpy(), part, rtol=1e-8, atol=1e-10, err_msg=name)


def test_the_gru_step_is_torchs() -> None:
    torch.manual_seed(1)
    cell, x, h = nn.GRUCell(3, 4), torch.randn(5, 3), torch.randn(5, 4)
    torch.testing.assert_close(gru_step(nn.functional.linear(x, cell.weight_ih, cell.bias_ih), h, cell), cell(x, h))


@pytest.mark.parametrize("rule", RULES)
def test_the_gradient_is_that_of_finite_differences(rule: Rebalance) -> None:
    net = made(2, 2, 3, 1, rule)
    names, values = zip(*net.named_parameters(), strict=True)
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    events, state = of_lengths([3, 2]), used(net, 2)

    def outcome(x: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        known, after = torch.func.functional_call(net, dict(zip(names, parameters, strict=True)), (x, events, state))
        return known[events.mask], after["usage"]

    assert torch.autograd.gradcheck(outcome, (x, *values))


@pytest.mark.parametrize("cut", [0, 1, 4, 6])
def test_a_carried_state_is_a_whole_run(cut: int) -> None:
    net = made(3, 4, 4, 2, "normalised")
    events, x = of_lengths([6, 3, 0]), torch.randn(3, 6, 3, dtype=torch.float64)
    whole, end = net(x, events, net.fresh(3))
    _, middle = net(x[:, :cut], events.span(0, cut), net.fresh(3))
    second, after = net(x[:, cut:], events.span(cut, 6), middle)
    torch.testing.assert_close(second[0], whole[0, cut:])
    for name in end:
        torch.testing.assert_close(after[name], end[name])


def test_padding_leaves_the_state_bit_for_bit() -> None:
    net = made(3, 4, 4, 2, "normalised")
    state, x = used(net, 3), torch.randn(3, 8, 3, dtype=torch.float64)
    for width in (0, 5):
        _, after = net(x[:, :width], of_lengths([0, 0, 0], width), state)
        assert all(torch.equal(after[name], state[name]) for name in state)
    events = of_lengths([4, 0, 2], 8)
    rubbish = torch.where(events.mask[:, :, None], x, 1e6)
    for one, two in zip(net(x, events, state)[1].values(), net(rubbish, events, state)[1].values(), strict=True):
        assert torch.equal(one, two)


def test_an_event_changes_the_channels_of_the_slots_read_most_and_no_other() -> None:
    net = made(3, 4, 5, 2, "normalised")
    state = used(net, 6)
    _, after = net(torch.randn(6, 1, 3, dtype=torch.float64), of_lengths([1] * 6), state)
    assert ((after["channels"] != state["channels"]).any(dim=2).sum(dim=1) == 2).all()


@pytest.mark.parametrize("rule", ["normalised", "none"])
def test_usage_is_a_share(rule: Rebalance) -> None:
    net = made(3, 4, 5, 1, rule)
    _, state = net(torch.randn(4, 30, 3, dtype=torch.float64), of_lengths([30, 1, 17, 0], 30), net.fresh(4))
    torch.testing.assert_close(state["usage"].sum(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64))


def test_the_transfer_matrix_can_even_out_the_use_of_the_slots() -> None:
    """A transfer that pushes away from slots written much: what the loss on uneven use asks for."""
    net, events = made(3, 4, 4, 0, "normalised"), of_lengths([60] * 5)
    x = torch.randn(5, 60, 3, dtype=torch.float64)
    spread = []
    for push in (0.0, 10.0):
        with torch.no_grad():
            net.transfer.copy_(-push * torch.eye(4))
            spread.append(net(x, events, net.fresh(5))[1]["usage"].var(dim=1).mean())
    assert spread[1] < 0.2 * spread[0]


@pytest.mark.parametrize("size", [-300.0, 300.0])
def test_extreme_weights_stay_finite(size: float) -> None:
    for name, _ in made(3, 4, 4, 2, "normalised").named_parameters():
        net = made(3, 4, 4, 2, "normalised").float()
        with torch.no_grad():
            net.get_parameter(name).mul_(size)
        known, state = net(10 * torch.randn(2, 50, 3), of_lengths([50, 3]), net.fresh(2))
        slopes = torch.autograd.grad(known.square().sum() + state["usage"].square().sum(), list(net.parameters()))
        assert all(part.isfinite().all() for part in (known, *state.values(), *slopes)), name


def test_it_stays_in_fp32_under_autocast() -> None:
    net, events, x = made(3, 4, 4, 2, "normalised").float(), of_lengths([6, 0, 2]), torch.randn(3, 6, 3)
    plain, end = net(x, events, net.fresh(3))
    with torch.autocast("cpu", torch.bfloat16):
        mixed, after = net(x, events, net.fresh(3))
    assert mixed.dtype == torch.float32 and torch.equal(mixed, plain)
    assert all(torch.equal(after[name], end[name]) for name in end)


def test_more_channels_than_slots_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 channels .* 2 slots"):
        MemoryNetwork(4, 4, 2, 3, "normalised")
