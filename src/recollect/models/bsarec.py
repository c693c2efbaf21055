"""BSARec: causal attention with a filter beside it that tells slow from fast changes of taste, in a causal form.

Source: Shin et al. 2024, "An attentive inductive bias for sequential recommendation beyond the self-attention", and
its public code: post-norm blocks, alpha of the filter and 1 - alpha of attention, the high part times a learnt beta².
Published, low is what a Fourier transform of the whole padded window keeps, so every position sees those after it, and
only the ends of prefixes can be targets. Here low is a fading mean of the events so far, its causal twin; so every
position is a target. This is not the published filter: figures of the two are those of two models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Catalog, Events, Window
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.low_pass import FilteredAttentionBlock
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class BSARec(Window):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Blocks of filter, attention and feed-forward."""
        heads: int = Field(2, ge=1)
        """Attention heads, and groups of channels with a low pass of their own."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at (published: 50)."""
        alpha: float = Field(0.7, ge=0, le=1)
        """Share of the filter; the rest is attention's (published: .1 to .9, tuned for each log; .7 for Beauty)."""
        span: tuple[float, float] = (2.0, 8.0)
        """Over how many events the low pass averages at the start, from the first head to the last; above 1. (The
        published cut-offs c of 9, 5 and 3 in a window of 50 let through what about 2, 4 and 8 do.)"""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch (published: .5)."""
        attention_dropout: float = Field(0.0, ge=0, lt=1)
        """Dropout on attention weights (published: .5); on a CPU it costs more than the attention itself."""
        norm: Literal["pre", "post"] = "post"
        """Where layer norm stands (published: post)."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.norm_read, self.dropout = nn.LayerNorm(config.width), Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            FilteredAttentionBlock(
                config.width,
                config.heads,
                config.dropout,
                config.attention_dropout,
                config.feedforward,
                config.norm,
                config.alpha,
                config.span,
            )
            for _ in range(config.blocks)
        )
        # a post-norm block has normalised what it hands on
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.table(window.codes)
        x = self.dropout(self.norm_read(x + self.positions[: x.shape[1]]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x), {}
