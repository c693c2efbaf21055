"""Weighted losses: as if each target stood there as often as it weighs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recollect.losses import full
from recollect.losses.choice import LossSettings, loss_of
from recollect.losses.full import full_cross_entropy


def draw(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    double = torch.float64
    hidden, table = torch.randn(7, 4, dtype=double), torch.randn(9, 4, dtype=double)
    return hidden.requires_grad_(), table.requires_grad_(), torch.randint(1, 9, (7,)), torch.randn(9, dtype=double)


def test_the_full_softmax_agrees_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full, "CHUNK_CELLS", 24)  # several chunks
    hidden, table, targets, bias = draw()
    bias.requires_grad_()
    weights = torch.tensor([0.0, 1.0, 2.5, 0.0, 0.25, 1.0, 3.0])
    ours = full_cross_entropy(hidden, table, targets, bias, weights)
    logits = (hidden @ table.T + bias)[:, 1:]
    each = F.cross_entropy(logits, targets - 1, reduction="none")
    theirs = (each * weights).sum() / weights.sum()
    torch.testing.assert_close(ours, theirs)
    for mine, wanted in zip(
        torch.autograd.grad(ours, (hidden, table, bias)),
        torch.autograd.grad(theirs, (hidden, table, bias)),
        strict=True,
    ):
        torch.testing.assert_close(mine, wanted)


@pytest.mark.parametrize("kind", ["full", "sampled", "bce", "gbce", "bpr"])
def test_a_weight_of_two_is_the_target_twice(kind: str) -> None:
    hidden, table, targets, bias = draw(1)
    weights = torch.tensor([2.0, 1, 1, 0, 1, 2, 1], dtype=torch.float64)
    rows = torch.tensor([0, 0, 1, 2, 4, 5, 5, 6])
    settings = LossSettings(kind=kind, negatives=5)  # type: ignore[arg-type]
    torch.manual_seed(3)
    weighted = loss_of(settings, hidden, table, targets, bias, weights)
    torch.manual_seed(3)
    repeated = loss_of(settings, hidden[rows], table, targets[rows], bias)
    torch.testing.assert_close(weighted.float(), repeated.float())


@pytest.mark.parametrize("kind", ["full", "sampled", "bce", "bpr"])
def test_nothing_that_weighs_is_no_loss_and_no_slope(kind: str) -> None:
    hidden, table, targets, bias = draw(2)
    loss = loss_of(LossSettings(kind=kind, negatives=5), hidden, table, targets, bias, torch.zeros(7))  # type: ignore[arg-type]
    assert loss.item() == 0
    for slope in torch.autograd.grad(loss, (hidden, table)):
        assert torch.equal(slope, torch.zeros_like(slope))
