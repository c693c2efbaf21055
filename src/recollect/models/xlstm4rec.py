"""xLSTM4Rec: matrix memories and scalar memories stacked in any order over the whole history.

Source: Beck et al. 2024 (the xLSTM[a:b] notation); the xLSTM variants of the xLSTM-LSR paper (sec. 5.2).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.contracts import CLOCK, Carried, Catalog, Events, State, take_last
from recollect.nn.clock import Clock, TimeSettings
from recollect.nn.embed import ItemTable
from recollect.nn.mlstm_block import MLSTMSettings, make_mlstm_block
from recollect.nn.repeat_head import RepeatSettings, repeat_head
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.stack import Stack


class XLSTM4Rec(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        pattern: str = Field("ms", pattern="^[ms]+$")
        """The blocks from the first to the last: m for a matrix memory (mLSTM), s for scalar memories (sLSTM)."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        time: TimeSettings = TimeSettings()
        """What is made of time."""
        mlstm: MLSTMSettings = MLSTMSettings()
        """How each mLSTM block is built."""
        slstm: SLSTMSettings = SLSTMSettings()
        """How each sLSTM block is built."""

    config: Config
    clock: Clock

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        if config.time.gaps and "m" not in config.pattern:
            raise ConfigError(f"time.gaps: only matrix memories read gaps, and pattern={config.pattern} has none")
        self.clock = Clock(config.width, config.time)
        self.request_time = config.time.request
        width, dropout = config.width, config.dropout
        self.table = ItemTable(catalog.size, width, dropout)
        self.blocks = Stack(
            make_mlstm_block(width, config.mlstm, dropout, (block, len(config.pattern)), elapsing=config.time.gaps)
            if letter == "m"
            else SLSTMBlock(width, config.slstm, dropout, (block, len(config.pattern)))
            for block, letter in enumerate(config.pattern)
        )
        self.norm = nn.LayerNorm(width)
        self.start = nn.Parameter(torch.randn(width) * 0.02)

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
