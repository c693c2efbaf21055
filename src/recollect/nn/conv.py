"""A causal depthwise convolution over time whose last inputs are part of the state.

Source: the width-4 convolution before q, k and the gates in xLSTM blocks (Beck et al. 2024, fig. 9-10).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class CausalConv(nn.Module):
    """Mixes each channel with its own last `width - 1` inputs; a sum of shifted products, so any dtype is fast."""

    def __init__(self, channels: int, width: int = 4) -> None:
        super().__init__()
        self.width = width
        bound = 1 / math.sqrt(width)
        self.weight = nn.Parameter(torch.empty(width, channels).uniform_(-bound, bound))  # oldest tap first
        self.bias = nn.Parameter(torch.zeros(channels))

    def fresh(self, users: int) -> Tensor:
        """[B width-1 C]: no inputs yet."""
        return self.weight.new_zeros(users, self.width - 1, self.weight.shape[1])

    def forward(self, x: Tensor, lengths: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """x [B T C] with `lengths` [B] real rows, tail [B width-1 C] -> y [B T C], the tail after `lengths` events."""
        return self.mix(torch.cat([tail.to(x.dtype), x], dim=1)), self.next_tail(x, lengths, tail)

    def mix(self, extended: Tensor) -> Tensor:
        """extended [B width-1+T C] -> [B T C]."""
        T = extended.shape[1] - self.width + 1
        weight = self.weight.to(extended.dtype)
        y = torch.addcmul(self.bias.to(extended.dtype), extended[:, :T], weight[0])
        for tap in range(1, self.width):
            y = torch.addcmul(y, extended[:, tap : tap + T], weight[tap])
        return y

    def next_tail(self, x: Tensor, lengths: Tensor, tail: Tensor) -> Tensor:
        extended = torch.cat([tail, x.to(tail.dtype)], dim=1)
        place = lengths[:, None] + torch.arange(self.width - 1, device=x.device)
        return extended.gather(1, place[:, :, None].expand(-1, -1, x.shape[2]))
