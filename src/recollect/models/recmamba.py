"""RecMamba: a Transformer block whose self-attention is a Mamba mixer.

Source: Yang et al. 2024 (arXiv 2403.16371), as method 1 of alokamgnaneswarasai/mambarec describes it: SASRec's block
with Mamba in the place of attention. There are no learned positions: the scan knows the order, and slots would end a
history at a fixed length. The code published with the paper has no feed-forward, norm or residual at all: that is
`mambarec` with `--set model.block=bare`.
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


class RecMamba(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(1, ge=1)
        """Blocks of a Mamba mixer and a feed-forward; the source found no gain in more than one."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part (SASRec's publication: 1)."""
        norm: Literal["pre", "post"] = "pre"
        """Where layer norm stands."""
        mamba: MambaSettings = MambaSettings()
        """How each mixer is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.dropout = Dropout(config.dropout)
        self.blocks = Stack(TransformerBlock(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x = self.dropout(self.table(events.codes) * self.config.width**0.5)
        x, after = self.blocks(x, events, state.part("blocks"))
        hidden = self.norm(x).float()
        return hidden, State.join({"hidden": take_last(hidden, events.lengths, state["hidden"]), "blocks": after}), {}


class TransformerBlock(nn.Module):
    """x [B T D] -> [B T D]: mixer and feed-forward with residuals; `pre` normalises what enters, `post` what leaves."""

    def __init__(self, config: RecMamba.Config) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        self.mixer = MambaMixer(config.width, config.mamba)
        self.feedforward = FeedForward(config.width, config.feedforward, config.dropout)
        self.norm_mixer, self.norm_feedforward = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)

    def fresh(self, users: int) -> State:
        return self.mixer.fresh(users)

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        mixed, state = self.mixer(self.norm_mixer(x) if self.pre else x, events, state)
        x = x + self.dropout(mixed)
        if self.pre:
            return x + self.feedforward(self.norm_feedforward(x)), state
        x = self.norm_mixer(x)
        return self.norm_feedforward(x + self.feedforward(x)), state
