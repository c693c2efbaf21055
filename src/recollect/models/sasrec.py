"""SASRec: causal self-attention over the last events.

Source: Kang & McAuley 2018; trained here with full cross-entropy at every position (Klenitskiy & Vasilev 2023), where
the publication samples one negative (`train.loss.kind=bce`, `negatives=1`, `shared_negatives=false`). Positions are
slots counted from the window's first event, in training as when asked, so that a window cut on the left scores as it
was trained. Blocks are today's: queries, keys and values all read the norm of what comes in (the publication norms
queries only), and the feed-forward is GELU's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Catalog, Events, Window
from recollect.nn.attention import AttentionBlock
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class SASRec(Window):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Attention blocks."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part (the publication: 1)."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        attention_dropout: float = Field(0.0, ge=0, lt=1)
        """Dropout on attention weights; on a CPU it costs more than the attention itself."""
        norm: Literal["pre", "post"] = "pre"
        """Where layer norm stands."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            AttentionBlock(
                config.width, config.heads, config.dropout, config.attention_dropout, config.feedforward, config.norm
            )
            for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.table(window.codes) * self.config.width**0.5
        x = self.dropout(x + self.positions[: x.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x), {}
