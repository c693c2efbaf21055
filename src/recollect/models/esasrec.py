"""eSASRec: SASRec with gated (LiGR) blocks, the strongest plain Transformer of its authors' comparison.

Source: Tikhonovich et al. 2025; they train it with a sampled softmax over 256 negatives a target, which here is a
training setting (`train.loss.kind=sampled`, `train.loss.shared_negatives=false`), and the full softmax the default.
Positions are slots counted from the window's first event, as in `sasrec`; theirs count from the end of a window of
fixed length. Item vectors are read times the root of the width, as in `sasrec`; theirs as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Catalog, Events, Window
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.ligr import LiGRBlock
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class ESASRec(Window):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(2, ge=1)
        """LiGR blocks."""
        heads: int = Field(1, ge=1)
        """Attention heads (published: 1 at width 64)."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the SwiGLU."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch (published: .1 for ML-1M, .2 for Amazon)."""
        attention_dropout: float = Field(0.0, ge=0, lt=1)
        """Dropout on attention weights (published: as `dropout`); on a CPU it costs more than the attention itself."""
        final_norm: bool = False
        """Layer norm behind the last block; the published code has none."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            LiGRBlock(config.width, config.heads, config.dropout, config.attention_dropout, config.feedforward)
            for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.width) if config.final_norm else nn.Identity()
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.table(window.codes) * self.config.width**0.5
        x = self.dropout(x + self.positions[: x.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x), {}
