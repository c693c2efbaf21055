"""BERT4Rec: attention both ways, learning to recover hidden events; asked by a mask after the last one.

Source: Sun et al. 2019. What is hidden is drawn anew at every step (Cloze); in a share of the rows only the last event
is, which is how the model is asked. The mask's vector lies outside the item table, which may grow. It learns from a
fifth of the events of an epoch and starts slowly (docs/log.md); published trainings run for hundreds of epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.contracts import Catalog, Events, Window
from recollect.nn.attention import AttentionBlock
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class BERT4Rec(Window):
    causal = False

    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """Attention blocks."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        mask_rate: float = Field(0.2, gt=0, le=1)
        """How likely an event is hidden in training (the publication: .2 on ML-1M, .6 on Beauty)."""
        last_rate: float = Field(0.1, ge=0, le=1)
        """In what share of the rows the last event, and nothing else, is hidden."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        attention_dropout: float = Field(0.0, ge=0, lt=1)
        """Dropout on attention weights; on a CPU it costs more than the attention itself."""
        norm: Literal["pre", "post"] = "post"
        """Where layer norm stands (the publication: post)."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        width = config.width
        self.table = ItemTable(catalog.size, width, 0.0, normalised=False)
        self.mask = nn.Parameter(torch.randn(width) * 0.02)
        self.positions = nn.Parameter(torch.randn(config.window + 1, width) * 0.02)
        self.norm, self.dropout = nn.LayerNorm(width), Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            AttentionBlock(
                width,
                config.heads,
                config.dropout,
                config.attention_dropout,
                config.feedforward,
                config.norm,
                causal=False,
            )
            for _ in range(config.blocks)
        )
        self.out = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(catalog.size))

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def item_bias(self) -> Tensor:
        return self.bias

    def start(self) -> Tensor:
        """What a lone mask is answered with."""
        alone = self.mask[None, None]
        return self._read(alone, torch.ones(1, 1, dtype=torch.bool, device=alone.device))[0, 0]

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        """hidden t, at a row's last event: what stands at the mask after it."""
        places = torch.arange(window.items.shape[1] + 1, device=window.items.device)
        x = F.pad(self.table(window.codes), (0, 0, 0, 1))  # [B T+1 D]
        x = torch.where((places == window.lengths[:, None])[:, :, None], self.mask, x)
        return self._read(x, places <= window.lengths[:, None])[:, 1:], {}

    def conceal(self, mask: Tensor) -> Tensor:
        draw = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, 2.0)
        least = F.one_hot(draw.argmin(dim=1), mask.shape[1]).bool()
        places = torch.arange(mask.shape[1], device=mask.device)
        last = places == (places * mask).amax(dim=1, keepdim=True)
        only_last = torch.rand(len(mask), 1, device=mask.device) < self.config.last_rate
        return torch.where(only_last, last, (draw < self.config.mask_rate) | least) & mask

    def recover(self, window: Events, concealed: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = torch.where(concealed[:, :, None], self.mask, self.table(window.codes))
        return self._read(x, window.mask), {}

    def _read(self, x: Tensor, real: Tensor) -> Tensor:
        """x [B T D] with masks in it -> [B T D]."""
        x = self.dropout(self.norm(x + self.positions[: x.shape[1]]))
        for block in self.blocks:
            x = block(x, real)
        result: Tensor = self.out(x)
        return result
