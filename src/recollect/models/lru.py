"""LRURec: a linear recurrence over the whole history, and a feed-forward behind it.

Source: Yue et al. 2024 ("Linear Recurrent Units for Sequential Recommendation") and its public code: width 64, two
blocks, post-norm, twice as many complex channels as the width, full cross-entropy with a bias an item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.embed import ItemTable
from recollect.nn.lru_block import LRUBlock
from recollect.nn.repeat_head import RepeatSettings, repeat_head
from recollect.nn.stack import Stack


class LRURec(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Blocks of a linear recurrent unit and a feed-forward."""
        expansion: int = Field(2, ge=1)
        """Complex channels of the recurrence, as a multiple of the width."""
        radius: tuple[float, float] = (0.8, 0.99)
        """Where |lambda| starts; .99 forgets to 1/e in 100 events, .999 in 1,000."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch (published: .2 for ML-1M and Steam, .6 for Amazon)."""
        norm: Literal["pre", "post"] = "post"
        """Where layer norm stands."""
        item_bias: bool = True
        """A learned bias an item in the scores."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        channels = config.expansion * config.width
        self.blocks = Stack(
            LRUBlock(config.width, channels, config.feedforward, config.radius, config.dropout, config.norm)
            for _ in range(config.blocks)
        )
        # a post-norm block has normalised what it hands on
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(catalog.size)) if config.item_bias else None
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def item_bias(self) -> Tensor | None:
        return self.bias

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x, after = self.blocks(self.table(events.codes), events, state.part("blocks"))
        hidden = self.norm(x)
        last = take_last(hidden, events.lengths, state["hidden"].to(hidden.dtype))
        return hidden, State.join({"hidden": last, "blocks": after}), {}
