"""The gated feed-forward against its formula."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.nn.feedforward import GatedFeedForward


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
