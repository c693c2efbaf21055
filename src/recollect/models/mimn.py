"""MIMN: a memory of a few slots, each written and read by what it resembles, and a channel that follows each slot.

Source: Pi et al. 2019 (Multi-channel user Interest Memory Network), made for click prediction, where the candidate is
read against the memory. The xLSTM-LSR paper (sec. 5.2, MIMN*) asks it for the next item without saying how; here what
is known after each event (controller, read vector, channels weighted as their slots were read) is mapped to the vector
that scores every item. The equations, and where paper and code differ, stand in `nn.memory_network`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.memory_network import MemoryNetwork, Rebalance
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class MIMN(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table, of a slot and of a channel."""
        hidden: int = Field(128, ge=1)
        """Width of the controller."""
        slots: int = Field(4, ge=1)
        """Slots of the memory."""
        channels: int = Field(1, ge=0)
        """Channels updated by an event, those of the slots read most; 0 leaves them out (the ablation `w/o MIU`)."""
        rebalance: Rebalance = "normalised"
        """How slots written much make room: by weights that sum to one, by eq. 6 as printed, or not (`w/o MUR`)."""
        utilisation: float = Field(0.1, ge=0)
        """Weight lambda of the loss on uneven use of the slots (eq. 8); the paper does not tell its own."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on what is scored."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.memory = MemoryNetwork(config.width, config.hidden, config.slots, config.channels, config.rebalance)
        self.out = nn.Sequential(nn.Linear(self.memory.size, config.width), nn.LayerNorm(config.width))
        self.dropout = Dropout(config.dropout)
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "memory": self.memory.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        """aux: `usage` [B slots], how much each slot was written by an event, on average, up to the last one."""
        known, memory = self.memory(self.table(events.codes), events, state.part("memory"))
        hidden = self.dropout(self.out(known))
        last = take_last(hidden, events.lengths, state["hidden"])
        return hidden, State.join({"hidden": last, "memory": memory}), {"usage": memory["usage"]}

    def own_loss(self, hidden: Tensor, aux: Mapping[str, Tensor], mask: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """lambda x the unevenness of the slots' use: 0 where all are used alike, slots - 1 where one takes all."""
        usage = aux["usage"][mask.any(dim=1)]
        if self.config.rebalance == "none" or self.config.utilisation == 0 or len(usage) == 0:
            return hidden.new_zeros(()), {}
        deviation = usage - usage.mean(dim=1, keepdim=True)
        uneven = self.config.slots * deviation.square().sum(dim=1).mean()
        return self.config.utilisation * uneven, {"uneven": uneven.detach()}
