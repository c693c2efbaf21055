"""BiLSTM4Rec: an LSTM over the last events in both directions.

Source: the bidirectional recurrent baseline of the xLSTM-LSR paper. Reading backwards sees what comes after an event,
so only the end of what is read can be asked: training asks for the ends of random prefixes. These are far fewer targets
an epoch than a causal network has, so it wants more epochs (or `train.batches.prefixes`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from recollect.contracts import Catalog, Events, Window
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.precision import full_precision
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class BiLSTM4Rec(Window):
    causal = False

    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table."""
        hidden: int = Field(128, ge=1)
        """Width of the state in each direction."""
        layers: int = Field(1, ge=1)
        """Recurrent layers."""
        window: int = Field(50, ge=1)
        """How many of the last events are looked at."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on what is scored."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, config.dropout)
        self.lstm = nn.LSTM(config.width, config.hidden, config.layers, batch_first=True, bidirectional=True)
        self.out = nn.Sequential(nn.Linear(2 * config.hidden, config.width), nn.LayerNorm(config.width))
        self.dropout = Dropout(config.dropout)
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The two directions' last states, the same at every position: that of the last event is the answer."""
        if window.items.numel() == 0:  # no users, or no events, which torch cannot pack
            return self.empty.new_zeros(*window.items.shape, self.config.width), {}
        lengths = window.lengths.clamp(min=1).cpu()
        device = self.empty.device
        with torch.autocast(device.type, enabled=False), full_precision(device):
            x = self.table(window.codes).float()
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            _, (ends, _) = self.lstm(packed)  # [2*layers B hidden], forwards and backwards in turn
        hidden = self.dropout(self.out(torch.cat([ends[-2], ends[-1]], dim=-1)))  # [B D]
        return hidden.unsqueeze(1).expand(-1, window.items.shape[1], -1), {}
