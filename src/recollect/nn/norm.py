"""Normalisation per token and head, never across time or users: what the law of company asks for.

Source: the "group norm" after the cell in xLSTM blocks (Beck et al. 2024), which is a layer norm of each head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HeadNorm(nn.Module):
    """[... H d] -> [... H*d]: zero mean and unit variance in each head, then a gain per channel."""

    def __init__(self, heads: int, size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.size, self.eps = size, eps
        self.gain = nn.Parameter(torch.ones(heads * size))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (self.size,), eps=self.eps).flatten(-2) * self.gain.to(x.dtype)
