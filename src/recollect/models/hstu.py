"""HSTU: attention without softmax, biased by how long ago an event was; the anchor among attention models.

Source: Zhai et al. 2024, "Actions speak louder than words" (sec. 3). The published bias measures time from when the
next item is requested, which training then takes from the answer: `request_time` switches that on, and it is printed.
The blocks are the published ones; around them stands what all networks here have: a layer norm and plain products with
the item table, where the published code scales both to length 1 and divides by a temperature of .05.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import REQUEST_TIME, Catalog, Events, Request, State, Window, push_recent
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.pointwise_attention import PointwiseBlock, time_buckets
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class HSTU(Window):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(4, ge=1)
        """Attention blocks (the publication's large form: 8)."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        time_buckets: int = Field(64, ge=0)
        """Logarithmic buckets of the time between events, each with a bias of its own; 0 leaves time out."""
        request_time: bool = False
        """Whether time is measured from when the next item is requested, instead of from the event before it."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.request_time = config.request_time
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            PointwiseBlock(config.width, config.heads, config.window, config.time_buckets, config.dropout)
            for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width)
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        state = super().fresh(users, profile)
        return State({**state, "times": torch.zeros_like(state["recent"])})

    def advance(self, state: State, events: Events) -> State:
        times = torch.zeros_like(events.items) if events.times is None else events.times
        clock = dataclasses.replace(events, items=times)  # the newest times move along as the newest codes do
        return State({**super().advance(state, events), "times": push_recent(state["times"], state["held"], clock)[0]})

    def recall(self, state: State, request: Request | None) -> Events:
        window = super().recall(state, request)
        width = window.items.shape[1]
        times = state["times"][:, :width]
        features = {}
        if request is not None and request.at is not None:
            # Every event but the last was followed by the next one, as in training.
            last = torch.arange(width, device=times.device) == window.lengths[:, None] - 1
            features[REQUEST_TIME] = torch.where(last, request.at[:, None], times.roll(-1, dims=1))
        return dataclasses.replace(window, times=times, features=features)

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.table(window.codes) * self.config.width**0.5
        x = self.dropout(x + self.positions[: x.shape[1]])
        gaps = self._gaps(window)
        for block in self.blocks:
            x = block(x, gaps)
        return self.norm(x), {}

    def _gaps(self, window: Events) -> Tensor | None:
        if self.config.time_buckets == 0:
            return None
        times = torch.zeros_like(window.items) if window.times is None else window.times
        requested = window.features.get(REQUEST_TIME, times) if self.request_time else times
        return time_buckets(requested, times, self.config.time_buckets)
