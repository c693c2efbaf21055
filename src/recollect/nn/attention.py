"""Self-attention over a right-padded window, causal or both ways.

Source: Vaswani et al. 2017; SASRec (Kang & McAuley 2018); BERT4Rec (Sun et al. 2019). Padding stands to the right, so a
causal event never sees it; attention both ways is told what is real. What comes out of padded places means nothing.
"""

from __future__ import annotations

import contextlib
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from recollect.config import ConfigError
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import FeedForward

BACKENDS = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
"""On a GPU. cuDNN's kernels are left out: they are built anew for every shape, and batches have many shapes."""


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, causal: bool = False, dropout: float = 0.0
) -> Tensor:
    """query, key, value [B H T d] -> [B H T d]: torch's attention, also for a batch of nobody and for many shapes."""
    if query.numel() == 0:  # some kernels give None for it
        return torch.empty_like(query)
    with sdpa_kernel(list(BACKENDS)) if query.is_cuda else contextlib.nullcontext():
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, dropout_p=dropout)


class SelfAttention(nn.Module):
    """x [B T D] -> [B T D]; `real` [B T] bool says which cells may be looked at, where attention is not causal."""

    def __init__(self, width: int, heads: int, dropout: float, *, causal: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"attention of width {width} does not divide into {heads} heads")
        self.heads, self.drop, self.causal = heads, dropout, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each [B H T d]
        mask = None if real is None else real[:, None, None, :]
        h = attend(q, k, v, mask, causal=self.causal, dropout=self.drop if self.training else 0.0)
        result: Tensor = self.out(h.transpose(1, 2).flatten(-2))
        return result


class AttentionBlock(nn.Module):
    """Attention and a feed-forward `factor` times as wide, each with residual and norm: of what enters, or leaves."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
        factor: float,
        norm: Literal["pre", "post"],
        *,
        causal: bool = True,
    ) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, attention_dropout, causal=causal)
        self.feedforward = FeedForward(width, factor, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        if self.pre:
            x = x + self.dropout(self.attention(self.norm_attention(x), real))
            return x + self.feedforward(self.norm_feedforward(x))
        x = self.norm_attention(x + self.dropout(self.attention(x, real)))
        result: Tensor = self.norm_feedforward(x + self.feedforward(x))
        return result
