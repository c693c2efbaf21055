"""The contrastive loss against eq. 24 written out user by user."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.losses.contrastive import contrastive_loss


@given(B=st.integers(2, 6), D=st.integers(1, 5), tau=st.sampled_from([0.05, 0.2, 1.0]), seed=st.integers(0, 999))
def test_it_is_equation_24(B: int, D: int, tau: float, seed: int) -> None:
    u, long, short = torch.randn(3, B, D, generator=torch.Generator().manual_seed(seed)) + 0.01

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        x, y = a.tolist(), b.tolist()
        return sum(p * q for p, q in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)

    losses = []
    for b in range(B):
        weight = [math.exp(cosine(u[b], long[j]) / tau) + math.exp(cosine(u[b], short[j]) / tau) for j in range(B)]
        losses.append(-math.log(weight[b] / sum(weight)))
    assert contrastive_loss(u, long, short, tau).item() == pytest.approx(sum(losses) / B, rel=1e-3, abs=1e-4)


def test_length_is_nothing_and_nearness_is_all() -> None:
    torch.manual_seed(0)
    u = torch.randn(5, 8)
    near, far = contrastive_loss(u, u, u, 0.2), contrastive_loss(u, u.roll(1, 0), u.roll(1, 0), 0.2)
    assert near < far
    torch.testing.assert_close(contrastive_loss(7 * u, 0.1 * u, 3 * u, 0.2), near)


def test_a_tiny_temperature_does_not_overflow() -> None:
    u, long, short = torch.randn(3, 4, 8, requires_grad=True)
    loss = contrastive_loss(u, long, short, 1e-3)
    assert loss.isfinite()
