"""The block around the linear recurrent unit: what it lacks in non-linearity stands in the feed-forward behind it.

Source: LRURec (Yue et al. 2024), post-norm, GELU, weights started small so that a block starts near the identity.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from recollect.contracts import Events, State
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import FeedForward
from recollect.nn.lru import LRU


class LRUBlock(nn.Module):
    """x [B T D] -> [B T D], each part with residual and norm; `pre` normalises what enters, `post` what leaves."""

    def __init__(
        self,
        width: int,
        channels: int,
        factor: float,
        radius: tuple[float, float],
        dropout: float,
        norm: Literal["pre", "post"],
    ) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.norm_lru, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.lru = LRU(width, channels, radius)
        self.feedforward = FeedForward(width, factor, dropout)
        self.dropout = Dropout(dropout)
        for linear in (self.lru.into, self.lru.out, self.feedforward.up, self.feedforward.down):
            nn.init.trunc_normal_(linear.weight, std=0.02, a=-0.04, b=0.04)
            nn.init.zeros_(linear.bias)

    def fresh(self, users: int) -> State:
        return self.lru.fresh(users)

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        y, state = self.lru(self.norm_lru(x) if self.pre else x, events, state)
        x = x + self.dropout(y)
        if self.pre:
            return x + self.feedforward(self.norm_feedforward(x)), state
        x = self.norm_lru(x)
        return self.norm_feedforward(x + self.feedforward(x)), state
