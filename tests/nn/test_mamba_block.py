"""The Mamba mixer against its definition, one event at a time in NumPy float64; and its place in the contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recollect.config import decode
from recollect.contracts import Events, State
from recollect.nn.mamba_block import MambaMixer, MambaSettings


def made(seed: int = 0, width: int = 6, **settings: object) -> MambaMixer:
    """A mixer whose parameters are moved off their start, where A is the same in every channel and D is 1."""
    torch.manual_seed(seed)
    mixer = MambaMixer(width, decode(MambaSettings, {"d_state": 5, **settings}, where="mamba"))
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return mixer


def events(*lengths: int, width: int | None = None) -> Events:
    span = max(lengths) if width is None else width
    return Events(torch.ones(len(lengths), span, dtype=torch.int64), torch.tensor(lengths))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def defined(mixer: MambaMixer, x: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Fig. 3 and algorithm 2 of the paper for one user: x [T D], tail [W-1 E], memory [E N]."""
    p = {name: parameter.detach().double().numpy() for name, parameter in mixer.named_parameters()}
    E, N = p["A_log"].shape
    tail, h, out = list(state["tail"]), state["memory"].copy(), []
    for event in x:
        both = p["up.weight"] @ event
        tail.append(both[:E])
        inner = silu(np.sum(p["conv.weight"] * np.stack(tail), axis=0) + p["conv.bias"])
        tail.pop(0)
        chosen = p["select.weight"] @ inner
        low, B, C = chosen[: -2 * N], chosen[-2 * N : -N], chosen[-N:]
        delta = np.log1p(np.exp(p["dt.weight"] @ low + p["dt.bias"]))
        for e in range(E):
            h[e] = np.exp(-delta[e] * np.exp(p["A_log"][e])) * h[e] + delta[e] * B * inner[e]
        out.append(p["down.weight"] @ ((h @ C + p["D"] * inner) * silu(both[E:])))
    return np.stack(out), {"tail": np.stack(tail), "memory": h}


SETTINGS = [
    {},
    {"d_state": 1},
    {"expansion": 1},
    {"expansion": 3, "convolution": 2},
    {"dt_rank": 4},
    {"chunk": 1},
    {"chunk": 4},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_is_the_definition(settings: dict[str, object]) -> None:
    """Users of different lengths, each going on from a memory of their own, against each of them alone."""
    mixer = made(**settings).double()
    lengths = [11, 4, 1]
    _, state = mixer(torch.randn(3, 5, 6).double(), events(5, 2, 3), mixer.fresh(3))
    x = torch.randn(3, 11, 6).double()
    y, after = mixer(x, events(*lengths), state)
    for row, length in enumerate(lengths):
        before = {name: part[row].detach().numpy() for name, part in state.items()}
        wanted, end = defined(mixer, x[row, :length].numpy(), before)
        np.testing.assert_allclose(y[row, :length].detach().numpy(), wanted, rtol=1e-9, atol=1e-11)
        for name, part in end.items():
            np.testing.assert_allclose(after[name][row].detach().numpy(), part, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("settings", SETTINGS)
def test_one_event_at_a_time_is_all_at_once(settings: dict[str, object]) -> None:
    mixer = made(**settings)
    x, state = torch.randn(3, 9, 6), mixer.fresh(3)
    whole, end = mixer(x, events(9, 9, 9), state)
    for t in range(9):
        y, state = mixer(x[:, t : t + 1], events(1, 1, 1), state)
        torch.testing.assert_close(y, whole[:, t : t + 1], rtol=1e-4, atol=1e-5)
    for name in end:
        torch.testing.assert_close(state[name], end[name], rtol=1e-4, atol=1e-5)


def test_padding_and_its_content_are_nothing() -> None:
    mixer, x = made(), torch.randn(3, 7, 6)
    dirty = x.clone()
    dirty[0, 4:], dirty[1, 1:], dirty[2] = 9e3, -50, 7
    clean, one = mixer(x, events(4, 1, 0, width=7), mixer.fresh(3))
    other, two = mixer(dirty, events(4, 1, 0, width=7), mixer.fresh(3))
    assert torch.equal(clean[0, :4], other[0, :4])
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("width", [0, 1, 6])
def test_no_events_keep_the_state_bit_for_bit(width: int) -> None:
    mixer = made()
    _, used = mixer(torch.randn(2, 5, 6), events(5, 3), mixer.fresh(2))
    used = State({**used, "memory": used["memory"].index_fill(1, torch.tensor([1]), -0.0)})
    _, after = mixer(torch.randn(2, width, 6), events(0, 0, width=width), used)
    for name in used:
        one, two = (state[name].contiguous().view(torch.int32) for state in (after, used))
        assert torch.equal(one, two), name  # as bits: -0 is not 0


def test_time_steps_start_between_a_thousandth_and_a_tenth_and_state_n_decays_n_times_as_fast() -> None:
    torch.manual_seed(0)
    mixer = MambaMixer(64, MambaSettings(d_state=7))
    delta = torch.nn.functional.softplus(mixer.dt.bias)
    assert 1e-3 <= delta.min() < 2e-3 and 0.05 < delta.max() <= 0.1 + 1e-6
    assert abs(delta.log().mean() - np.log(1e-2)) < 0.5
    torch.testing.assert_close(mixer.A_log.exp(), torch.arange(1.0, 8.0).expand(128, 7))


@pytest.mark.parametrize("width, asked, rank", [(64, 0, 4), (65, 0, 5), (6, 0, 1), (64, 9, 9)])
def test_the_rank_of_the_time_steps(width: int, asked: int, rank: int) -> None:
    assert MambaMixer(width, MambaSettings(dt_rank=asked)).dt.weight.shape == (2 * width, rank)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shift", [-300.0, 300.0])
def test_extreme_decays_stay_finite_and_the_memory_fp32(kind: torch.dtype, shift: float) -> None:
    mixer = made()
    with torch.no_grad():
        mixer.A_log += shift
        mixer.dt.bias += shift
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        y, state = mixer(torch.randn(2, 300, 6), events(300, 7), mixer.fresh(2))
    y[0].float().sum().backward()
    assert y.isfinite().all() and all(part.isfinite().all() for part in state.values())
    assert all(part.dtype == torch.float32 for part in state.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in mixer.parameters())


def test_under_autocast_the_memory_is_that_of_full_precision_products() -> None:
    """What feeds the scan may be rounded once; what is decided there may not: B, C and the time steps stay exact."""
    mixer, mixed = made(), torch.randn(2, 8, 12).bfloat16()
    mask, memory = torch.ones(2, 8, dtype=torch.bool), mixer.fresh(2)["memory"]
    exact = mixer._scan(mixed.float(), mask, memory)
    with torch.autocast("cpu", torch.bfloat16):
        found = mixer._scan(mixed, mask, memory)
    assert all(torch.equal(one, two) for one, two in zip(exact, found, strict=True))


def test_every_parameter_learns() -> None:
    mixer = made()
    y, _ = mixer(torch.randn(2, 6, 6), events(6, 2), mixer.fresh(2))
    y.square().sum().backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in mixer.parameters())


def test_the_state_is_a_value_of_constant_size() -> None:
    mixer = made()
    fresh = mixer.fresh(2)
    given = State({name: part.clone() for name, part in fresh.items()})
    _, after = mixer(torch.randn(2, 3, 6), events(3, 2), given)
    assert all(torch.equal(given[name], fresh[name]) for name in fresh)
    assert {name: part.shape for name, part in after.items()} == {"tail": (2, 3, 12), "memory": (2, 12, 5)}
