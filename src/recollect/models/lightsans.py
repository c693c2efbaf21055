"""LightSANs: attention from every event to a few latent interests that the window is pooled into.

Source: Fan et al. 2021 (LightSANs), eq. 3-8: low-rank attention on items, and apart from it attention on positions. The
pooling sees the whole window, so only the end of what is read can be asked: training asks for the ends of prefixes.
These are far fewer targets an epoch than a causal network has, so it wants more epochs (or `train.batches.prefixes`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Catalog, Events, Window
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.feedforward import FeedForward
from recollect.nn.low_rank_attention import LowRankAttention
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class LightSANs(Window):
    causal = False

    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Attention blocks."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        interests: int = Field(8, ge=1)
        """Latent interests that the window's events are pooled into."""
        window: int = Field(50, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.blocks = nn.ModuleList(
            _Block(config.width, config.heads, config.interests, config.feedforward, config.dropout)
            for _ in range(config.blocks)
        )
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x, positions = self.table(window.codes), self.positions[: window.items.shape[1]]
        for block in self.blocks:
            x = block(x, positions, window.mask)
        return x, {}


class _Block(nn.Module):
    """Attention and a feed-forward, each with residual and layer norm behind it."""

    def __init__(self, width: int, heads: int, interests: int, factor: float, dropout: float) -> None:
        super().__init__()
        self.attention = LowRankAttention(width, heads, interests)
        self.feedforward = FeedForward(width, factor, dropout)
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, positions: Tensor, real: Tensor) -> Tensor:
        x = self.norm_attention(x + self.dropout(self.attention(x, positions, real)))
        result: Tensor = self.norm_feedforward(x + self.feedforward(x))
        return result
