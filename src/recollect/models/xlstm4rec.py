"""xLSTM4Rec: matrix memories and scalar memories stacked in any order over the whole history.

Source: Beck et al. 2024 (the xLSTM[a:b] notation); the xLSTM variants of the xLSTM-LSR paper (sec. 5.2).
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
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.stack import Stack


class XLSTM4Rec(Carried):
    class Config(Settings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        pattern: str = Field("ms", pattern="^[ms]+$")
        """The blocks from the first to the last: m for a matrix memory (mLSTM), s for scalar memories (sLSTM)."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        mlstm: MLSTMSettings = MLSTMSettings()
        """How each mLSTM block is built."""
        slstm: SLSTMSettings = SLSTMSettings()
        """How each sLSTM block is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        width, dropout = config.width, config.dropout
        self.table = ItemTable(catalog.size, width, dropout)
        self.blocks = Stack(
            make_mlstm_block(width, config.mlstm, dropout, (block, len(config.pattern)))
            if letter == "m"
            else SLSTMBlock(width, config.slstm, dropout, (block, len(config.pattern)))
            for block, letter in enumerate(config.pattern)
        )
        self.norm = nn.LayerNorm(width)
        self.start = nn.Parameter(torch.randn(width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x, after = self.blocks(self.table(events.codes), events, state.part("blocks"))
        hidden = self.norm(x)
        last = take_last(hidden, events.lengths, state["hidden"].to(hidden.dtype))
        return hidden, State.join({"hidden": last, "blocks": after}), {}
