"""The LiGR block: a pre-norm Transformer block that weighs each branch by what the residual stream already holds.

Source: Borisyuk et al. 2025 (LiGR): x + sigmoid(W x) * F(LayerNorm x); eSASRec (Tikhonovich et al. 2025), whose code in
RecTools this follows: the gate reads x before the norm, and the feed-forward is a SwiGLU without biases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.nn.attention import SelfAttention
from recollect.nn.dropout import Dropout


class LiGRBlock(nn.Module):
    """x [B T D] -> [B T D], causal; the feed-forward is `factor` times as wide."""

    def __init__(self, width: int, heads: int, dropout: float, attention_dropout: float, factor: float) -> None:
        super().__init__()
        inner = max(1, round(width * factor))
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gate_attention, self.gate_feedforward = nn.Linear(width, width), nn.Linear(width, width)
        self.attention = SelfAttention(width, heads, attention_dropout)
        self.up, self.down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.dropout(self.attention(self.norm_attention(x)))
        x = x + torch.sigmoid(self.gate_attention(x)) * branch
        branch = self.dropout(self._feedforward(self.norm_feedforward(x)))
        return x + torch.sigmoid(self.gate_feedforward(x)) * branch

    def _feedforward(self, x: Tensor) -> Tensor:
        gate, value = self.up(x).chunk(2, dim=-1)
        result: Tensor = self.down(self.dropout(F.silu(gate) * value))
        return result
