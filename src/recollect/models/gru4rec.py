"""GRU4Rec: a gated recurrent network over the whole history.

Source: Hidasi et al. 2016, trained with full cross-entropy at every position instead of the published session-parallel
sampling, which is what makes it competitive (Petrov & Macdonald 2022).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.config import Settings
from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.recurrent import Recurrent


class GRU4Rec(Carried):
    class Config(Settings):
        width: int = Field(64, ge=1)
        """Width of the item table."""
        hidden: int = Field(128, ge=1)
        """Width of the recurrent state."""
        layers: int = Field(1, ge=1)
        """Recurrent layers."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on what is scored."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.gru = Recurrent("gru", config.width, config.hidden, config.layers)
        self.out = nn.Sequential(nn.Linear(config.hidden, config.width), nn.LayerNorm(config.width))
        self.dropout = Dropout(config.dropout)
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, features: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "gru": self.gru.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        h, memory = self.gru(self.table(events.codes), events, state.part("gru"))
        hidden = self.dropout(self.out(h))
        last = take_last(hidden, events.lengths, state["hidden"])
        return hidden, State.join({"hidden": last, "gru": memory}), {}
