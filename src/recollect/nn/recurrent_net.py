"""A recurrent network from events to scored vectors: all of rnn4rec, gru4rec and lstm4rec but the choice of the cell.

Source: Hidasi et al. 2016 (GRU4Rec): item vectors, recurrent layers, then a linear map to the width that is scored.
Added here: a layer norm on what is read and on what is scored, and dropout on the latter.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Events, State, take_last
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.recurrent import Kind, Recurrent
from recollect.nn.repeat_head import RepeatSettings


class RecurrentSettings(RepeatSettings):
    """How a recurrent network is built."""

    width: int = Field(64, ge=1)
    """Width of the item table."""
    hidden: int = Field(128, ge=1)
    """Width of the recurrent state."""
    layers: int = Field(1, ge=1)
    """Recurrent layers."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout on what is read and on what is scored."""


class RecurrentNet(nn.Module):
    """events -> hidden [B T D] after each, and the state; a user without history has the learned `start` [D]."""

    def __init__(self, kind: Kind, items: int, settings: RecurrentSettings) -> None:
        super().__init__()
        self.table = ItemTable(items, settings.width, settings.dropout)
        self.rnn = Recurrent(kind, settings.width, settings.hidden, settings.layers)
        self.out = nn.Sequential(nn.Linear(settings.hidden, settings.width), nn.LayerNorm(settings.width))
        self.dropout = Dropout(settings.dropout)
        self.start = nn.Parameter(torch.randn(settings.width) * 0.02)

    def fresh(self, users: int) -> State:
        return State.join({"hidden": self.start.expand(users, -1), "rnn": self.rnn.fresh(users)})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State]:
        h, memory = self.rnn(self.table(events.codes), events, state.part("rnn"))
        hidden = self.dropout(self.out(h))
        last = take_last(hidden, events.lengths, state["hidden"])
        return hidden, State.join({"hidden": last, "rnn": memory})
