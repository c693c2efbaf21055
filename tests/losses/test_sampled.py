"""Losses with negatives against plain loops over targets and negatives, sampled softmax against full."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recollect.losses.full import full_cross_entropy
from recollect.losses.sampled import (
    bayesian_personalised_ranking,
    binary_cross_entropy,
    draw_negatives,
    sampled_softmax,
)


def draw(N: int, V: int, K: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    made = torch.Generator().manual_seed(seed)
    hidden, table, bias = (torch.randn(*s, generator=made, dtype=torch.float64) for s in ((N, 3), (V, 3), (V,)))
    targets, negatives = (torch.randint(1, V, (count,), generator=made) for count in (N, K))
    return hidden, table, targets, negatives, bias


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def naive(
    hidden: Tensor, table: Tensor, targets: Tensor, negatives: Tensor, bias: Tensor, kind: str, t: float = 0.0
) -> float:
    """One target, one negative at a time; a negative that is the target is left out."""
    V, K, losses, pairs = len(table), negatives.shape[-1], [], []
    for n, y in enumerate(targets.tolist()):
        own = float(hidden[n] @ table[y] + bias[y])
        others = [
            float(hidden[n] @ table[j] + bias[j]) for j in negatives.expand(len(targets), -1)[n].tolist() if j != y
        ]
        if kind == "softmax":
            total = math.exp(own) + sum((V - 1) / K * math.exp(s) for s in others)
            losses.append(math.log(total) - own)
        elif kind == "bce":
            rate = min(1.0, K / max(1, V - 2))
            beta = rate * (t * (1 - 1 / rate) + 1 / rate)
            losses.append((-beta * log_sigmoid(own) - sum(log_sigmoid(-s) for s in others)) / (K + 1))
        else:
            pairs += [-log_sigmoid(own - s) for s in others]
    if kind == "bpr":
        return sum(pairs) / max(1, len(pairs))
    return sum(losses) / len(losses)


@given(
    N=st.integers(1, 6),
    V=st.integers(2, 12),
    K=st.integers(1, 9),
    t=st.sampled_from([0.0, 0.75, 1.0]),
    s=st.integers(0, 999),
)
def test_each_loss_is_its_formula(N: int, V: int, K: int, t: float, s: int) -> None:
    parts = draw(N, V, K, s)
    assert sampled_softmax(*parts).item() == pytest.approx(naive(*parts, "softmax"), rel=1e-4, abs=1e-6)
    assert binary_cross_entropy(*parts, t).item() == pytest.approx(naive(*parts, "bce", t), rel=1e-4, abs=1e-6)
    assert bayesian_personalised_ranking(*parts).item() == pytest.approx(naive(*parts, "bpr"), rel=1e-4, abs=1e-6)


@given(N=st.integers(1, 6), V=st.integers(2, 12), K=st.integers(1, 9), s=st.integers(0, 999))
def test_each_target_may_have_negatives_of_its_own(N: int, V: int, K: int, s: int) -> None:
    hidden, table, targets, _, bias = draw(N, V, K, s)
    negatives = torch.randint(1, V, (N, K), generator=torch.Generator().manual_seed(s))
    parts = hidden, table, targets, negatives, bias
    assert sampled_softmax(*parts).item() == pytest.approx(naive(*parts, "softmax"), rel=1e-4, abs=1e-6)
    assert binary_cross_entropy(*parts, 0.75).item() == pytest.approx(naive(*parts, "bce", 0.75), rel=1e-4, abs=1e-6)
    assert bayesian_personalised_ranking(*parts).item() == pytest.approx(naive(*parts, "bpr"), rel=1e-4, abs=1e-6)


def test_a_missing_bias_is_a_bias_of_zero() -> None:
    hidden, table, targets, negatives, bias = draw(5, 9, 4, seed=1)
    for loss in (sampled_softmax, binary_cross_entropy, bayesian_personalised_ranking):
        one, two = (loss(hidden, table, targets, negatives, b) for b in (None, torch.zeros_like(bias)))
        torch.testing.assert_close(one, two)


def test_all_items_as_negatives_are_the_full_softmax() -> None:
    hidden, table, targets, _, bias = draw(20, 50, 1, seed=2)
    got = sampled_softmax(hidden, table, targets, torch.arange(1, 50), bias)
    assert got.item() == pytest.approx(full_cross_entropy(hidden, table, targets, bias).item(), rel=1e-5)


def test_the_correction_makes_a_sample_estimate_the_full_loss() -> None:
    """Mean over draws; without (V - 1) / K the loss would be too low by log(V / K), about 2."""
    hidden, table, targets, _, bias = draw(10, 400, 1, seed=3)
    torch.manual_seed(0)
    few = [sampled_softmax(hidden, table, targets, draw_negatives((60,), 400, table.device), bias) for _ in range(300)]
    full = full_cross_entropy(hidden, table, targets, bias)
    assert torch.stack(few).mean().item() == pytest.approx(full.item(), abs=0.1)


@pytest.mark.parametrize("loss", [sampled_softmax, binary_cross_entropy, bayesian_personalised_ranking])
def test_negatives_that_are_all_the_target_give_finite_gradients(loss: Callable[..., Tensor]) -> None:
    hidden, table, _, _, _ = draw(3, 5, 1, seed=4)
    hidden.requires_grad_(), table.requires_grad_()
    value = loss(hidden, table, torch.tensor([2, 2, 2]), torch.tensor([2]))
    slopes = torch.autograd.grad(value, (hidden, table), allow_unused=True)
    assert value.isfinite() and all(slope is None or slope.isfinite().all() for slope in slopes)


def test_full_calibration_of_gbce_scales_the_positive_by_the_sampling_rate() -> None:
    hidden, table, targets, negatives, bias = draw(4, 42, 10, seed=5)
    plain, calibrated = (binary_cross_entropy(hidden, table, targets, negatives, bias, t) for t in (0.0, 1.0))
    positive = -torch.nn.functional.logsigmoid((hidden * table[targets]).sum(-1) + bias[targets]).mean()
    assert (plain - calibrated).item() == pytest.approx((1 - 10 / 40) * positive.item() / 11, rel=1e-5)


def test_bce_is_torchs_mean_over_the_target_and_its_negatives() -> None:
    """So it is of the size of one binary cross-entropy however many negatives there are."""
    hidden, table, targets, _, bias = draw(6, 30, 1, seed=6)
    for K in (1, 9, 200):
        negatives = torch.randint(1, 29, (6, K), generator=torch.Generator().manual_seed(K))
        negatives += negatives >= targets[:, None]  # any item but the target
        codes = torch.cat([targets[:, None], negatives], dim=1)
        logits = torch.einsum("nd,nkd->nk", hidden, table[codes]) + bias[codes]
        wanted = torch.zeros_like(logits)
        wanted[:, 0] = 1
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        got = binary_cross_entropy(hidden, table, targets, negatives, bias)
        torch.testing.assert_close(got.double(), theirs, rtol=1e-5, atol=1e-6)


def test_negatives_are_uniform_over_items_and_never_padding() -> None:
    torch.manual_seed(0)
    drawn = draw_negatives((90_000,), 10, torch.device("cpu"))
    counts = torch.bincount(drawn, minlength=10)
    assert counts[0] == 0 and len(counts) == 10
    assert (counts[1:] - 10_000).abs().max() < 5 * 10_000**0.5
