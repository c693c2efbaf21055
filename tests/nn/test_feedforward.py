"""The feed-forward parts against their formulas."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recollect.nn.feedforward import FeedForward, GatedFeedForward


@pytest.mark.parametrize("width, factor, inner", [(64, 2.0, 128), (64, 4 / 3, 88), (4, 0.1, 8)])
def test_formula_and_width(width: int, factor: float, inner: int) -> None:
    torch.manual_seed(0)
    layer = GatedFeedForward(width, factor, 0.5).double().eval()
    assert layer.down.weight.shape == (width, inner)
    x = torch.randn(2, 3, width, dtype=torch.float64)
    both = F.layer_norm(x, (width,)) @ layer.up.weight.T + layer.up.bias
    gate, value = both[..., :inner], both[..., inner:]
    wanted = x + (gate * torch.sigmoid(gate) * value) @ layer.down.weight.T + layer.down.bias
    torch.testing.assert_close(layer(x), wanted)


@pytest.mark.parametrize("activation", [F.gelu, F.relu])
def test_plain_formula(activation: Callable[[torch.Tensor], torch.Tensor]) -> None:
    torch.manual_seed(0)
    layer = FeedForward(6, 1.5, 0.5, activation).double().eval()
    assert layer.down.weight.shape == (6, 9) and FeedForward(6, 0.01, 0.0).down.weight.shape == (6, 1)
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    inner = activation(x @ layer.up.weight.T + layer.up.bias)
    torch.testing.assert_close(layer(x), inner @ layer.down.weight.T + layer.down.bias)


def test_dropout_stands_inside_and_behind() -> None:
    torch.manual_seed(0)
    layer = FeedForward(64, 1.0, 0.5).train()
    nn.init.eye_(layer.down.weight)
    nn.init.zeros_(layer.down.bias)
    assert (layer(torch.randn(50, 64)) == 0).float().mean() > 0.65  # half of half stays
