"""sLSTM4Rec: a stack of scalar memories with mixing over the whole history.

Source: the sLSTM variant of the xLSTM-LSR paper (sec. 5.2); Beck et al. 2024 for the block.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import CLOCK, Carried, Catalog, Events, State, take_last
from recollect.nn.clock import Clock, MomentSettings
from recollect.nn.embed import ItemTable
from recollect.nn.repeat_head import RepeatSettings, repeat_head
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.stack import Stack


class SLSTM4Rec(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(1, ge=1)
        """sLSTM blocks; each walks through the history one event after the other."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        time: MomentSettings = MomentSettings()
        """What is made of time."""
        slstm: SLSTMSettings = SLSTMSettings()
        """How each block is built."""

    config: Config
    clock: Clock

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.clock = Clock(config.width, config.time)
        self.request_time = config.time.request
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.blocks = Stack(
            SLSTMBlock(config.width, config.slstm, config.dropout, (block, config.blocks))
            for block in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        clock = self.clock.fresh(users, self.device)
        return State.join({"hidden": self.start.expand(users, -1), "blocks": self.blocks.fresh(users), CLOCK: clock})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x = self.table(events.codes)
        events, clock, times = self.clock.read(x, events, state.part(CLOCK))
        x, after = self.blocks(x, events, state.part("blocks"))
        hidden = self.norm(x)
        last = take_last(hidden, events.lengths, state["hidden"].to(hidden.dtype))
        return hidden, State.join({"hidden": last, "blocks": after, CLOCK: clock}), State.join({CLOCK: times})
