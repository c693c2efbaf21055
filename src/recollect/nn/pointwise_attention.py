"""Attention without softmax: every earlier event adds its value, weighed by SiLU of its match plus a learned bias.

Source: Zhai et al. 2024 (HSTU), eq. 1-3. Intensities are kept, where softmax would only keep proportions; the bias
depends on how many events and how much time lie between, the time in buckets of its logarithm.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.nn.dropout import Dropout

BUCKET = 0.301
"""Width of a time bucket as a natural logarithm, as published: each is 1.35 times as long as the one before."""


def time_buckets(requested: Tensor, times: Tensor, buckets: int) -> Tensor:
    """requested, times [B T] seconds -> [B T T]: the bucket of the time from event j to request i."""
    gap = (requested[:, :, None] - times[:, None, :]).clamp(min=1)
    return (gap.float().log() / BUCKET).long().clamp(max=buckets - 1)


class PointwiseBlock(nn.Module):
    """x [B T D] -> [B T D]: four gated projections of the norm of x, attention, and a residual; no feed-forward.

    `window`: the longest T. `buckets`: how many of `time_buckets` have a bias of their own; 0 leaves time out.
    """

    def __init__(self, width: int, heads: int, window: int, buckets: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"attention of width {width} does not divide into {heads} heads")
        self.heads, self.window = heads, window
        # As small as published: after few events what is normalised is small, since sums are divided by the window.
        self.norm, self.norm_out = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.uvqk = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.by_place = nn.Parameter(torch.randn(window) * 0.02)  # how many events lie between
        self.by_time = nn.Parameter(torch.randn(buckets) * 0.02) if buckets else None

    def forward(self, x: Tensor, gaps: Tensor | None) -> Tensor:
        """`gaps` [B T T]: the time bucket of each pair (`time_buckets`), or None."""
        u, v, q, k = F.silu(self.uvqk(self.norm(x))).chunk(4, dim=-1)
        v, q, k = (
            part.view(*part.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2) for part in (v, q, k)
        )  # [B H T d]
        weights = F.silu(q @ k.transpose(-1, -2) + self.bias(x.shape[1], gaps).unsqueeze(1).to(q.dtype))
        weights = weights.tril() / self.window
        h = self.norm_out((weights @ v).transpose(1, 2).flatten(-2))
        return x + self.out(self.dropout(u * h))

    def bias(self, length: int, gaps: Tensor | None) -> Tensor:
        """[1 or B T T]; what lies after an event is cut off by the caller."""
        place = torch.arange(length, device=self.by_place.device)
        apart = (place[:, None] - place).clamp(min=0)
        bias = self.by_place[apart].unsqueeze(0)
        if self.by_time is None or gaps is None:
            return bias
        looked_up: Tensor = _LookUp.apply(self.by_time, gaps)  # type: ignore[no-untyped-call]
        return bias + looked_up


class _LookUp(torch.autograd.Function):
    """table [N], index [...] -> table[index]. Its gradient is a weighted count, many times faster than that of an
    embedding with few rows and many look-ups."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows = len(table)
        return table[index]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return torch.bincount(index.flatten(), grad.flatten().float(), ctx.rows).to(grad.dtype), None
