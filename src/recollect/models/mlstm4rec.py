"""mLSTM4Rec: a stack of matrix memories over the whole history.

Source: the mLSTM variant of the xLSTM-LSR paper (sec. 5.2); Beck et al. 2024 for the block.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import Settings
from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.embed import ItemTable
from recollect.nn.mlstm_block import MLSTMSettings, make_mlstm_block
from recollect.nn.stack import Stack


class MLSTM4Rec(Carried):
    class Config(Settings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """mLSTM blocks."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        mlstm: MLSTMSettings = MLSTMSettings()
        """How each block is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.blocks = Stack(
            make_mlstm_block(config.width, config.mlstm, config.dropout, (block, config.blocks))
            for block in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x, after = self.blocks(self.table(events.codes), events, state.part("blocks"))
        hidden = self.norm(x)
        last = take_last(hidden, events.lengths, state["hidden"].to(hidden.dtype))
        return hidden, State.join({"hidden": last, "blocks": after}), {}
