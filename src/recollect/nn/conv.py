"""A causal depthwise convolution over time whose last inputs are part of the state.

Source: the width-4 convolution before q, k and the gates in xLSTM blocks (Beck et al. 2024, fig. 9-10).
"""

from __future__ import annotations

import math
from typing import Any

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
        y: Tensor = _Convolution.apply(x, tail.to(x.dtype), self.weight.to(x.dtype), self.bias.to(x.dtype))  # type: ignore[no-untyped-call]
        return y, self.next_tail(x, lengths, tail)

    def mix(self, extended: Tensor) -> Tensor:
        """extended [B width-1+T C] -> [B T C]."""
        T = extended.shape[1] - self.width + 1
        weight = self.weight.to(extended.dtype)
        y = torch.addcmul(self.bias.to(extended.dtype), extended[:, :T], weight[0])
        for tap in range(1, self.width):
            y = torch.addcmul(y, extended[:, tap : tap + T], weight[tap])
        return y

    def next_tail(self, x: Tensor, lengths: Tensor, tail: Tensor) -> Tensor:
        before = self.width - 1
        if before == 0 or x.shape[1] == 0:
            return tail
        place = (lengths[:, None] + torch.arange(before, device=x.device))[:, :, None].expand(-1, -1, x.shape[2])
        # From both by themselves, for together they would be a copy of all that is read.
        old, new = tail.gather(1, place.clamp(max=before - 1)), x.gather(1, (place - before).clamp(min=0))
        return torch.where(place < before, old, new.to(tail.dtype))


class _Convolution(torch.autograd.Function):
    """`CausalConv.mix` of a tail [B width-1 C] and x [B T C], which are not copied together; a tap is one pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, tail: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, tail, weight)
        taps, T = len(weight), x.shape[1]
        y = torch.addcmul(bias, x, weight[-1])
        for back in range(1, taps):
            own = weight[taps - 1 - back]
            y[:, back:].addcmul_(x[:, : max(0, T - back)], own)
            y[:, :back].addcmul_(tail[:, taps - 1 - back :][:, :T], own)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, tail, weight = ctx.saved_tensors
        taps, T = len(weight), x.shape[1]
        grad_x, grad_tail, grad_weight = grad * weight[-1], torch.zeros_like(tail), torch.empty_like(weight)
        grad_weight[-1] = (grad * x).sum((0, 1))
        for back in range(1, taps):
            own, shown = weight[taps - 1 - back], max(0, T - back)
            late, edge, before = grad[:, back:], grad[:, :back], slice(taps - 1 - back, taps - 1 - back + T)
            grad_x[:, :shown].addcmul_(late, own)
            grad_tail[:, before].addcmul_(edge, own)
            grad_weight[taps - 1 - back] = (late * x[:, :shown]).sum((0, 1)) + (edge * tail[:, before]).sum((0, 1))
        return grad_x, grad_tail, grad_weight, grad.sum((0, 1))
