"""Dropout whose mask costs an eighth: on a CPU, drawing a float for every cell is a quarter of a training step.

One 64-bit draw gives eight cells of eight bits each, so the rate is rounded to a multiple of 1/256 and the scale is
that of the rounded rate: the expectation is exact.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Module):
    """As `torch.nn.Dropout`, with `p` rounded to a multiple of 1/256; draws from torch's global generator."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout rate must be in [0, 1), got {p}")
        self.dropped = min(255, round(p * 256))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.dropped == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.dropped / 256)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * keep.to(x.dtype).mul_(256 / (256 - self.dropped))

    def extra_repr(self) -> str:
        return f"p={self.dropped / 256}"
