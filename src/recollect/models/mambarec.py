"""MambaRec*: Mamba blocks and nothing else, where SASRec has Transformer blocks.

Source: alokamgnaneswarasai/mambarec, method 2: Mamba replaces attention and feed-forward both. `residual` is Mamba's
own block (Gu & Dao 2023: norm, mixer, residual, and a norm at the end); `bare` is the published code, one mixer alone.
Its learned positions are left out: its own ablation finds that Mamba knows the order without them. Several bare mixers
have a layer norm between them: the answer of each grows with the fifth power of what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from recollect.contracts import Carried, Catalog, Events, State, take_last
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.mamba_block import MambaMixer, MambaSettings
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class MambaRec(Carried):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(1, ge=1)
        """Mamba blocks; the source found no gain in more than one."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and, in a residual block, on what is added."""
        block: Literal["residual", "bare"] = "residual"
        """residual: x + Mamba(LN(x)), Mamba's own block; bare: Mamba(x), as in the published code."""
        mamba: MambaSettings = MambaSettings()
        """How each mixer is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog = config, catalog
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.dropout = Dropout(config.dropout)
        self.mixers = nn.ModuleList(MambaMixer(config.width, config.mamba) for _ in range(config.blocks))
        # Before, between and behind the mixers; of bare ones only between.
        norms = config.blocks + 1 if config.block == "residual" else config.blocks - 1
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(norms))
        self.start = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        blocks = {f"blocks.{depth}": mixer.fresh(users) for depth, mixer in enumerate(self.mixers)}  # type: ignore[operator]
        return State.join({"hidden": self.start.expand(users, -1), **blocks})

    def forward(self, events: Events, state: State) -> tuple[Tensor, State, Mapping[str, Tensor]]:
        x = self.dropout(self.table(events.codes) * self.config.width**0.5)
        bare, after = self.config.block == "bare", {}
        for depth, mixer in enumerate(self.mixers):
            name = f"blocks.{depth}"
            if bare:
                entering = self.norms[depth - 1](x) if depth > 0 else x
                x, after[name] = mixer(entering, events, state.part(name))
            else:
                mixed, after[name] = mixer(self.norms[depth](x), events, state.part(name))
                x = x + self.dropout(mixed)
        hidden = (x if bare else self.norms[-1](x)).float()
        return hidden, State.join({"hidden": take_last(hidden, events.lengths, state["hidden"]), **after}), {}
