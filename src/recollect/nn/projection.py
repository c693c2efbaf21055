"""A linear map whose matrix is block-diagonal: each small group of channels is mixed only with itself.

Source: xLSTM-LSR sec. 4.3-4.4 (block size 4), and eq. 6-8 for biases. The matrix is laid out dense for the product,
which is faster than many small products up to a few hundred channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError


class BlockLinear(nn.Module):
    """[... C] -> [... C] with C / block blocks of block x block; `block` equal to C is an ordinary dense map."""

    def __init__(self, channels: int, block: int, *, bias: bool = False) -> None:
        super().__init__()
        if channels % block:
            raise ConfigError(f"{channels} channels do not divide into blocks of {block}")
        bound = 1 / math.sqrt(block)
        self.weight = nn.Parameter(torch.empty(channels // block, block, block).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def matrix(self) -> Tensor:
        """[C C]: the map, laid out dense."""
        if len(self.weight) == 1:
            return self.weight[0]
        dense: Tensor = torch.block_diag(*self.weight.unbind(0))  # type: ignore[no-untyped-call]
        return dense

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.matrix(), self.bias)


def halves(layer: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor]:
    """`layer(x).chunk(2, dim=-1)` by two products: what comes after reads, and gives gradients for, whole tensors."""
    first, second = layer.weight.chunk(2)
    bias: Tensor | None = layer.bias
    biases = (None, None) if bias is None else bias.chunk(2)
    return F.linear(x, first, biases[0]), F.linear(x, second, biases[1])
