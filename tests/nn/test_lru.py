"""The LRU against its recurrence in NumPy complex128, and the written-out gradient against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recollect.config import ConfigError
from recollect.contracts import Events, State
from recollect.nn import lru
from recollect.nn.lru import LRU


def draw(T: int, B: int, C: int, radius: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """u [T B C], decay [C] of absolute value up to `radius`, start [B C], complex128."""
    made = torch.Generator().manual_seed(seed)
    u, start = (torch.randn(*shape, generator=made, dtype=torch.complex128) for shape in ((T, B, C), (B, C)))
    size, angle = torch.rand(2, C, generator=made, dtype=torch.float64)
    return u, torch.polar(radius * size, 7 * angle), start


def layer(seed: int = 0, radius: tuple[float, float] = (0.8, 0.99)) -> LRU:
    """Width 3, 5 channels, fp64, its parameters moved off their start."""
    torch.manual_seed(seed)
    made = LRU(3, 5, radius).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def events(*lengths: int, width: int | None = None) -> Events:
    return Events(torch.ones(len(lengths), width or max(lengths), dtype=torch.int64), torch.tensor(lengths))


def memory(users: int, seed: int = 1) -> State:
    made = torch.Generator().manual_seed(seed)
    return State({"memory": torch.randn(users, 10, generator=made, dtype=torch.float64)})


def pairs(real: np.ndarray) -> np.ndarray:
    """The complex numbers behind (re, im) pairs along the last axis."""
    return real[..., 0::2] + 1j * real[..., 1::2]


@pytest.mark.parametrize("form", [lru.scan, lru.fused_scan])
@given(
    T=st.integers(1, 70),
    B=st.integers(1, 4),
    C=st.integers(1, 4),
    radius=st.sampled_from([0.0, 0.5, 0.99999]),
    seed=st.integers(0, 10_000),
)
def test_both_forms_are_the_recurrence(form: object, T: int, B: int, C: int, radius: float, seed: int) -> None:
    u, decay, start = draw(T, B, C, radius, seed)
    h, wanted = start.numpy(), []
    for now in u.numpy():
        h = decay.numpy() * h + now
        wanted.append(h)
    np.testing.assert_allclose(form(u, decay, start).numpy(), np.stack(wanted), rtol=1e-10, atol=1e-12)  # type: ignore[operator]


@settings(max_examples=40)
@given(T=st.integers(1, 70), B=st.integers(1, 3), C=st.integers(1, 3), seed=st.integers(0, 500))
def test_the_written_out_gradient_is_autograds(T: int, B: int, C: int, seed: int) -> None:
    inputs = [x.requires_grad_() for x in draw(T, B, C, 0.95, seed)]
    weight, _, _ = draw(T, B, C, 1.0, seed + 1)
    slopes = [torch.autograd.grad((form(*inputs) * weight).real.sum(), inputs) for form in (lru.scan, lru.fused_scan)]
    for one, two in zip(*slopes, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("T, B, C", [(5, 2, 3), (2 * lru.CHUNK + 3, 2, 1)])
def test_the_written_out_gradient_is_that_of_finite_differences(T: int, B: int, C: int) -> None:
    assert torch.autograd.gradcheck(lru.fused_scan, [x.requires_grad_() for x in draw(T, B, C, 0.95, seed=4)])


def test_it_is_the_recurrence_with_complex_matrices() -> None:
    made, x, start = layer(), torch.randn(2, 7, 3, dtype=torch.float64), memory(2)
    weights = {name: value.detach().numpy() for name, value in made.named_parameters()}
    decay = np.exp(-np.exp(weights["nu"]) + 1j * np.exp(weights["theta"]))
    into, shift = pairs(weights["into.weight"].T).T, pairs(weights["into.bias"])
    out = pairs(weights["out.weight"]).conj()  # Re(C h) over pairs is C's real part, and minus its imaginary part
    h, wanted = pairs(start["memory"].numpy()), []
    for now in x.numpy().swapaxes(0, 1):
        h = decay * h + np.exp(weights["gamma"]) * (now @ into.T + shift)
        wanted.append((h @ out.T).real + weights["out.bias"])
    y, after = made(x, events(7, 7), start)
    np.testing.assert_allclose(y.detach().numpy(), np.stack(wanted, axis=1), rtol=1e-10)
    np.testing.assert_allclose(pairs(after["memory"].detach().numpy()), h, rtol=1e-10)


def test_its_gradient_is_that_of_finite_differences() -> None:
    made, start = layer(), memory(2)["memory"].requires_grad_()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    names = dict(made.named_parameters())

    def run(x: Tensor, start: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        given = dict(zip(names, weights, strict=True))
        y, after = torch.func.functional_call(made, given, (x, events(4, 2, width=4), State({"memory": start})))
        return y, after["memory"]

    assert torch.autograd.gradcheck(run, (x, start, *names.values()))


@given(cut=st.integers(0, 40))
def test_any_cut_gives_the_same(cut: int) -> None:
    made, x, start = layer(), torch.randn(2, 40, 3, dtype=torch.float64), memory(2)
    whole, end = made(x, events(40, 40), start)
    first, between = made(x[:, :cut], events(cut, cut), start)
    second, after = made(x[:, cut:], events(40 - cut, 40 - cut), between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(after["memory"], end["memory"])


def test_the_state_stops_at_each_rows_last_event() -> None:
    made, x, start = layer(), torch.randn(3, 6, 3, dtype=torch.float64), memory(3)
    dirty = x.clone()
    dirty[0, 4:], dirty[1] = 9e3, -50
    batch = events(4, 0, 6, width=6)
    clean, one = made(x, batch, start)
    other, two = made(dirty, batch, start)
    assert torch.equal(clean[0, :4], other[0, :4]) and torch.equal(one["memory"], two["memory"])
    assert torch.equal(one["memory"][1], start["memory"][1])
    alone, short = made(x[:1, :4], events(4), start.rows([0]))
    torch.testing.assert_close(alone[0], clean[0, :4])
    torch.testing.assert_close(short["memory"][0], one["memory"][0])


def test_no_events_keep_the_state_bit_for_bit() -> None:
    made, start = layer(), memory(2)
    y, after = made(torch.randn(2, 0, 3, dtype=torch.float64), events(0, 0), start)
    assert y.shape == (2, 0, 3) and torch.equal(after["memory"], start["memory"])


def test_it_starts_on_the_ring_and_keeps_the_size_of_what_enters() -> None:
    torch.manual_seed(0)
    made = LRU(2, 2000, (0.8, 0.99))
    decay = made.decay().detach()
    assert ((decay.abs() >= 0.8 - 1e-6) & (decay.abs() <= 0.99 + 1e-6)).all()
    # uniform on the ring: its outer half by area holds half of the channels, and no direction is preferred
    assert abs((decay.abs() ** 2 > (0.8**2 + 0.99**2) / 2).float().mean() - 0.5) < 0.05
    assert (decay / decay.abs()).mean().abs() < 0.05
    torch.testing.assert_close(made.gamma.detach().exp() ** 2, 1 - decay.abs() ** 2, rtol=1e-3, atol=1e-6)
    noise = made.gamma.detach().exp() * torch.randn(600, 1, 2000, dtype=torch.complex64)
    power = lru.scan(noise, decay, torch.zeros(1, 2000, dtype=torch.complex64))[-1].abs().square().mean()
    assert abs(power - 1) < 0.1


@pytest.mark.parametrize("name", ["nu", "theta", "gamma"])
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_no_parameter_makes_it_unstable(name: str, value: float) -> None:
    made = layer().float()
    with torch.no_grad():
        made.get_parameter(name).fill_(value)
    assert (made.decay().abs() < 1).all()
    x = torch.randn(1, 3000, 3)
    y, after = made(x, events(3000), made.fresh(1))
    y.square().mean().backward()
    assert y.isfinite().all() and after["memory"].isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_the_memory_is_fp32_under_autocast() -> None:
    made, x = layer().float(), torch.randn(2, 5, 3)
    exact, _ = made(x, events(5, 5), made.fresh(2))
    with torch.autocast("cpu", torch.bfloat16):
        y, after = made(x, events(5, 5), made.fresh(2))
    assert y.dtype == torch.bfloat16 and after["memory"].dtype == torch.float32
    torch.testing.assert_close(y.float(), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("radius", [(0.0, 0.9), (0.9, 0.8), (0.5, 1.0)])
def test_an_impossible_ring_is_refused(radius: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="radius"):
        LRU(3, 5, radius)
