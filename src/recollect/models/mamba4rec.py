"""Mamba4Rec: Mamba and a position-wise feed-forward over the whole history.

Source: Liu et al. 2024 (arXiv 2403.03900) and its published code: item table, dropout, layer norm; then layers of a
Mamba mixer and a feed-forward, each followed by dropout and layer norm. Trained here at every position, where the
publication trains the last one of a window of 200 (50), and read without a window. Steps Delta start as Mamba's own do
(.001 to .1, long memories); the published code then overwrites that start, by its framework, with about .7 throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.feedforward import FeedForward
from recollect.nn.mamba_block import MambaMixer, MambaSettings
from recollect.nn.repeat_head import RepeatSettings, repeat_head
from recollect.nn.stack import Stack


class Mamba4Rec(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the layers."""
        blocks: int = Field(1, ge=1)
        """Layers of a Mamba mixer and a feed-forward."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        residual: Literal["stacked", "always"] = "stacked"
        """stacked: none around the mixer of a single layer, as in the published code."""
        mamba: MambaSettings = MambaSettings()
        """How each mixer is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.dropout, self.norm = Dropout(config.dropout), nn.LayerNorm(config.width)
        residual = config.residual == "always" or config.blocks > 1
        self.blocks = Stack(MambaLayer(config, residual) for _ in range(config.blocks))
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x = self.norm(self.dropout(self.table(events.codes)))
        x, after = self.blocks(x, events, state.part("blocks"))
        hidden = x.float()
        return hidden, State.join({"hidden": take_last(hidden, events.lengths, state["hidden"]), "blocks": after}), {}


class MambaLayer(nn.Module):
    """x [B T D] -> [B T D]: LN(x + Dropout(Mamba(x))), then LN(x + FFN(x))."""

    def __init__(self, config: Mamba4Rec.Config, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.mixer = MambaMixer(config.width, config.mamba)
        self.feedforward = FeedForward(config.width, config.feedforward, config.dropout)
        self.norm_mixer, self.norm_feedforward = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)

    def fresh(self, users: int) -> State:
        return self.mixer.fresh(users)

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        mixed, state = self.mixer(x, events, state)
        mixed = self.dropout(mixed)
        x = self.norm_mixer(x + mixed if self.residual else mixed)
        return self.norm_feedforward(x + self.feedforward(x)), state
