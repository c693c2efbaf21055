"""The block-diagonal map against one small product a block."""

from __future__ import annotations

import pytest
import torch

from recollect.nn.projection import BlockLinear, halves


@pytest.mark.parametrize("channels, block", [(12, 4), (12, 12), (6, 1)])
def test_each_block_maps_its_own_channels(channels: int, block: int) -> None:
    torch.manual_seed(0)
    layer = BlockLinear(channels, block).double()
    x = torch.randn(2, 3, channels, dtype=torch.float64)
    wanted = [x[..., block * n : block * (n + 1)] @ w.T for n, w in enumerate(layer.weight)]
    torch.testing.assert_close(layer(x), torch.cat(wanted, dim=-1))
    assert layer.weight.numel() == channels * block


@pytest.mark.parametrize("block", [4, 12])
def test_a_bias_starts_at_nothing_and_is_added(block: int) -> None:
    layer, plain = BlockLinear(12, block, bias=True), BlockLinear(12, block)
    assert layer.bias is not None and not layer.bias.any() and plain.bias is None
    x = torch.randn(3, 12)
    before = layer(x)
    layer.bias.data.copy_(torch.arange(12.0))
    torch.testing.assert_close(layer(x), before + torch.arange(12.0))


def test_block_must_divide() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        BlockLinear(10, 4)


@pytest.mark.parametrize("bias", [True, False])
def test_halves_are_the_halves_of_one_product(bias: bool) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 8, bias=bias).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    for one, two in zip(halves(layer, x), layer(x).chunk(2, dim=-1), strict=True):
        torch.testing.assert_close(one, two)
