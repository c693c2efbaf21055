"""The gated feed-forward part of a block: what gives a linear recurrence its non-linearity.

Source: Shazeer 2020 (GLU variants). LRURec gains 10 % on ML-1M by putting one behind a linear recurrence.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from recollect.nn.dropout import Dropout


class GatedFeedForward(nn.Module):
    """x + Dropout(W_down(SiLU(a) * b)), (a, b) = W_up LayerNorm(x); hidden width `factor` times the width."""

    def __init__(self, width: int, factor: float, dropout: float) -> None:
        super().__init__()
        inner = max(8, round(width * factor / 8) * 8)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * inner)
        self.down = nn.Linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(self.norm(x)).chunk(2, dim=-1)
        return x + self.dropout(self.down(F.silu(gate) * value))
