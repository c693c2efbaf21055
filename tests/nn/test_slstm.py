"""sLSTM against the recurrence as published, in NumPy float64, and the written-out gradient against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recollect.nn import slstm


def draw(T: int, H: int, d: int, B: int, seed: int, spread: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """gates [T H 4 d B], mixing [H 4 d d], valid [T B] (random, any place), fp64."""
    made = torch.Generator().manual_seed(seed)
    gates = spread * torch.randn(T, H, 4, d, B, generator=made, dtype=torch.float64)
    mixing = torch.randn(H, 4, d, d, generator=made, dtype=torch.float64)
    return gates, mixing, torch.rand(T, B, generator=made) < 0.7


def some_memory(H: int, d: int, B: int, seed: int) -> slstm.Memory:
    """A memory that has seen events in even columns and none in odd ones: old and new users in one batch."""
    gates, mixing, _ = draw(4, H, d, B, seed + 1)
    _, used = slstm.scan(gates, mixing, slstm.Memory.zeros(H, d, B, dtype=torch.float64))
    new = slstm.Memory.zeros(H, d, B, dtype=torch.float64)
    even = torch.arange(B) % 2 == 0
    return slstm.Memory(*(torch.where(even, a, b) for a, b in zip(used, new, strict=True)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def published(
    gates: Tensor, mixing: Tensor, memory: slstm.Memory, valid: Tensor, bounded: bool, growing: bool
) -> tuple[np.ndarray, slstm.Memory]:
    """Eq. 15-21, one user, one head, one event at a time; an absent event is simply not read."""
    G, R = gates.numpy(), mixing.numpy()
    c, n, h, m = (part.numpy().copy() for part in memory)
    T, H, _, _, B = G.shape
    out = np.zeros((T, *h.shape))
    for t in range(T):
        for b in range(B):
            for a in range(H) if valid[t, b] else ():
                z, i, f, o = (G[t, a, gate, :, b] + R[a, gate] @ h[a, :, b] for gate in range(4))
                log_f = f if growing else -np.logaddexp(0, -f)
                log_i = -np.logaddexp(0, -i) if bounded else i
                new = np.maximum(log_f + m[a, :, b], log_i)
                keep, take = np.exp(log_f + m[a, :, b] - new), np.exp(log_i - new)
                c[a, :, b] = keep * c[a, :, b] + take * np.tanh(z)
                n[a, :, b] = keep * n[a, :, b] + take
                m[a, :, b] = new
                h[a, :, b] = sigmoid(o) * c[a, :, b] / n[a, :, b]
        out[t] = h
    return out, slstm.Memory(*(torch.from_numpy(part) for part in (c, n, h, m)))


@pytest.mark.parametrize("form", [slstm.scan, slstm.fused_scan])
@given(
    T=st.integers(1, 12),
    H=st.integers(1, 3),
    d=st.integers(1, 4),
    B=st.integers(1, 4),
    spread=st.sampled_from([0.1, 2.0, 40.0]),
    bounded=st.booleans(),
    growing=st.booleans(),
    biased=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_both_forms_are_the_published_recurrence(
    form: object, T: int, H: int, d: int, B: int, spread: float, bounded: bool, growing: bool, biased: bool, seed: int
) -> None:
    gates, mixing, valid = draw(T, H, d, B, seed, spread)
    memory = some_memory(H, d, B, seed)
    bias = gates[0, ..., 0] if biased else None
    h, after = form(gates, mixing, memory, valid, bias, bounded=bounded, growing=growing)  # type: ignore[operator]
    whole = gates if bias is None else gates + bias[..., None]
    wanted, end = published(whole, mixing, memory, valid, bounded, growing)
    np.testing.assert_allclose(h.numpy(), wanted, rtol=1e-8, atol=1e-10)
    for part, oracle in zip(after, end, strict=True):
        torch.testing.assert_close(part, oracle, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_i", [-200.0, -40.0, 40.0, 200.0])
@pytest.mark.parametrize("f", [-40.0, 40.0])
@pytest.mark.parametrize("growing", [False, True])
def test_extreme_gates_stay_finite(kind: torch.dtype, log_i: float, f: float, growing: bool) -> None:
    """log i = -200 as a first event divided 0 by 0 where the stabiliser starts at zero."""
    gates, mixing, valid = (x.to(kind) if x.is_floating_point() else x for x in draw(9, 2, 3, 4, seed=2))
    gates[:, :, 1] += log_i
    gates[:, :, 2] += f
    gates.requires_grad_()
    start = slstm.Memory.zeros(2, 3, 4, dtype=kind)
    for form in (slstm.scan, slstm.fused_scan):
        h, memory = form(gates, mixing, start, valid, growing=growing)
        (slope,) = torch.autograd.grad(h.square().sum(), gates)
        assert all(part.isfinite().all() for part in (h, slope, *memory)), form.__name__
        assert (h.abs() <= 1).all(), "h is a mean of tanh values, times a sigmoid"


@pytest.mark.parametrize("growing", [False, True])
def test_an_event_that_is_not_there_changes_nothing(growing: bool) -> None:
    gates, mixing, _ = draw(5, 2, 3, 4, seed=3)
    memory = some_memory(2, 3, 4, seed=3)
    for form in (slstm.scan, slstm.fused_scan):
        h, after = form(gates, mixing, memory, torch.zeros(5, 4, dtype=torch.bool), growing=growing)
        assert all(torch.equal(a, b) for a, b in zip(after, memory, strict=True)), form.__name__
        assert all(torch.equal(at, memory.hidden) for at in h)


@given(
    T=st.integers(1, 5),
    d=st.integers(1, 3),
    B=st.integers(1, 3),
    masked=st.booleans(),
    bounded=st.booleans(),
    growing=st.booleans(),
    seed=st.integers(0, 500),
)
def test_the_written_out_gradient_is_autograds(
    T: int, d: int, B: int, masked: bool, bounded: bool, growing: bool, seed: int
) -> None:
    gates, mixing, valid = draw(T, 2, d, B, seed)
    memory = some_memory(2, d, B, seed)
    bias = torch.randn(2, 4, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    inputs = gates.requires_grad_(), mixing.requires_grad_(), bias.requires_grad_()
    weight = torch.randn(T, 2, d, B, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slopes = []
    for form in (slstm.scan, slstm.fused_scan):
        h, _ = form(gates, mixing, memory, valid if masked else None, bias, bounded=bounded, growing=growing)
        slopes.append(torch.autograd.grad((h * weight).sum(), inputs, allow_unused=T == 1))
    for one, two in zip(*slopes, strict=True):
        torch.testing.assert_close(torch.zeros_like(two) if one is None else one, two, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("growing", [False, True])
def test_the_written_out_gradient_is_that_of_finite_differences(bounded: bool, growing: bool) -> None:
    gates, mixing, valid = draw(4, 2, 2, 3, seed=5)
    memory = some_memory(2, 2, 3, seed=5)
    assert torch.autograd.gradcheck(
        lambda g, r, b: slstm.fused_scan(g, r, memory, valid, b, bounded=bounded, growing=growing)[0],
        (gates.requires_grad_(), mixing.requires_grad_(), torch.ones(2, 4, 2, dtype=torch.float64).requires_grad_()),
    )


def test_heads_do_not_mix() -> None:
    gates, mixing, _ = draw(6, 2, 3, 2, seed=6)
    start = slstm.Memory.zeros(2, 3, 2, dtype=torch.float64)
    before, _ = slstm.fused_scan(gates, mixing, start)
    gates[:, 1] += 1
    after, _ = slstm.fused_scan(gates, mixing, start)
    assert torch.equal(before[:, 0], after[:, 0]) and not torch.equal(before[:, 1], after[:, 1])
