"""Causal self-attention over a right-padded window.

Source: Vaswani et al. 2017; SASRec (Kang & McAuley 2018). Padding stands to the right, so a real event never sees it
and the causal mask is all that is needed; what comes out of padded places means nothing.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.nn.dropout import Dropout


class CausalAttention(nn.Module):
    """x [B T D] -> [B T D]."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"attention of width {width} does not divide into {heads} heads")
        self.heads, self.drop = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each [B H T d]
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.drop if self.training else 0.0)
        result: Tensor = self.out(h.transpose(1, 2).flatten(-2))
        return result


class AttentionBlock(nn.Module):
    """Attention and a feed-forward, each with residual and norm; `pre` normalises what enters, `post` what leaves."""

    def __init__(
        self, width: int, heads: int, dropout: float, attention_dropout: float, inner: int, norm: Literal["pre", "post"]
    ) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CausalAttention(width, heads, attention_dropout)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            x = x + self.dropout(self.attention(self.norm_attention(x)))
            return x + self._feedforward(self.norm_feedforward(x))
        x = self.norm_attention(x + self.dropout(self.attention(x)))
        result: Tensor = self.norm_feedforward(x + self._feedforward(x))
        return result

    def _feedforward(self, x: Tensor) -> Tensor:
        result: Tensor = self.dropout(self.down(self.dropout(F.gelu(self.up(x)))))
        return result
