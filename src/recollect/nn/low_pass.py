"""Slow and fast parts of a history, told apart causally, and the block that puts them beside attention.

Source: Shin et al. 2024 (BSARec), its frequency layer. What is slow there is what the lowest frequencies of a Fourier
transform of the whole window keep, so that an event hears of those after it. Here it is a mean of the events so far
that fades with distance: it never looks ahead, and passes a constant unchanged too. Each head learns how soon it fades.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.nn.attention import SelfAttention
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import FeedForward


class LowPass(nn.Module):
    """x [B T D] -> [B T D]: low_t = sum_s a^(t-s) x_s / sum_s a^(t-s) over s <= t, one a for each head's channels.

    `span`: over how many events, 1 / (1 - a), the first and the last head average at the start, the others between.
    """

    def __init__(self, heads: int, span: tuple[float, float]) -> None:
        super().__init__()
        if min(span) <= 1:
            raise ConfigError(f"span {span}: a low pass averages over more than one event; give numbers above 1")
        spans = torch.linspace(math.log(span[0]), math.log(span[1]), heads).exp()
        self.keep = nn.Parameter((spans - 1).log())  # a = sigmoid of it

    def weights(self, length: int) -> Tensor:
        """[H T T]: what event s counts at t, rows of sum 1, nothing after t."""
        place = torch.arange(length, device=self.keep.device)
        back = (place[:, None] - place).clamp(min=0)
        worth = torch.exp(back * F.logsigmoid(self.keep)[:, None, None]).tril()
        return worth / worth.sum(-1, keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.reshape(*x.shape[:2], len(self.keep), x.shape[2] // len(self.keep)).transpose(1, 2)  # [B H T d]
        low: Tensor = self.weights(x.shape[1]).to(x.dtype) @ parts
        return low.transpose(1, 2).flatten(-2)


class FrequencyFilter(nn.Module):
    """x [B T D] -> low + beta² (x - low), beta learnt for each channel: the high part is made louder, or quieter."""

    def __init__(self, width: int, heads: int, span: tuple[float, float]) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"a low pass of width {width} does not divide into {heads} heads")
        self.low_pass = LowPass(heads, span)
        self.beta = nn.Parameter(torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        low = self.low_pass(x)
        return low + self.beta.square().to(x.dtype) * (x - low)


class FilteredAttentionBlock(nn.Module):
    """x [B T D] -> [B T D], causal: `alpha` of the filter and 1 - alpha of attention, then a feed-forward."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
        factor: float,
        norm: Literal["pre", "post"],
        alpha: float,
        span: tuple[float, float],
    ) -> None:
        super().__init__()
        self.pre, self.alpha = norm == "pre", alpha
        self.norm_filter, self.norm_attention, self.norm_feedforward = (nn.LayerNorm(width) for _ in range(3))
        self.filter = FrequencyFilter(width, heads, span)
        self.attention = SelfAttention(width, heads, attention_dropout)
        self.feedforward = FeedForward(width, factor, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            filtered = self.dropout(self.filter(self.norm_filter(x)))
            attended = self.dropout(self.attention(self.norm_attention(x)))
            x = x + self._mixed(filtered, attended)
            return x + self.feedforward(self.norm_feedforward(x))
        filtered = self.norm_filter(x + self.dropout(self.filter(x)))
        attended = self.norm_attention(x + self.dropout(self.attention(x)))
        x = self._mixed(filtered, attended)
        result: Tensor = self.norm_feedforward(x + self.feedforward(x))
        return result

    def _mixed(self, filtered: Tensor, attended: Tensor) -> Tensor:
        return self.alpha * filtered + (1 - self.alpha) * attended
