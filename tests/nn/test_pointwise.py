"""The position-wise feed-forward against its formula."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.nn.pointwise import PointwiseFeedForward


@pytest.mark.parametrize("width, factor, inner", [(8, 4.0, 32), (8, 0.01, 1), (3, 1.5, 4)])
def test_formula_and_width(width: int, factor: float, inner: int) -> None:
    torch.manual_seed(0)
    layer = PointwiseFeedForward(width, factor, 0.5, F.relu).double().eval()
    assert layer.down.weight.shape == (width, inner)
    x = torch.randn(2, 3, width, dtype=torch.float64)
    wanted = (x @ layer.up.weight.T + layer.up.bias).clamp(min=0) @ layer.down.weight.T + layer.down.bias
    torch.testing.assert_close(layer(x), wanted)
