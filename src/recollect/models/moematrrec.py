"""MoEMaTrRec: Mamba and self-attention side by side, mixed by a gate that looks at the window so far.

Source: alokamgnaneswarasai/mambarec, method 3. With x the block's input and the mean over the window's events up to t,

    g_t = sigmoid(w . mean(x_1 .. x_t) + b),   y = g Mamba(x) + (1 - g) LN(x + Attention(x)),   out = LN(y + FFN(y))

The published code has no causal mask and pools the whole sequence, the future included; here every part is causal. Its
gate takes one side or the other, which passes no gradient; here it weighs them.
Attention looks at a window, so the whole model does: Mamba starts afresh at the window's first event.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.contracts import Catalog, Events, Window
from recollect.nn.attention import SelfAttention
from recollect.nn.dropout import Dropout
from recollect.nn.embed import ItemTable
from recollect.nn.feedforward import FeedForward
from recollect.nn.mamba_block import MambaMixer, MambaSettings
from recollect.nn.repeat_head import RepeatSettings, repeat_head


class MoEMaTrRec(Window):
    class Config(RepeatSettings):
        width: int = Field(64, ge=1)
        """Width of the item table and of the blocks."""
        blocks: int = Field(1, ge=1)
        """Blocks of the two experts, the gate and a feed-forward."""
        heads: int = Field(2, ge=1)
        """Attention heads."""
        window: int = Field(200, ge=1)
        """How many of the last events are looked at."""
        feedforward: float = Field(4.0, gt=0)
        """Width factor of the feed-forward part."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Dropout on what is read and on every branch."""
        attention_dropout: float = Field(0.0, ge=0, lt=1)
        """Dropout on attention weights; on a CPU it costs more than the attention itself."""
        mamba: MambaSettings = MambaSettings()
        """How each mixer is built."""

    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        super().__init__()
        self.config, self.catalog, self.window = config, catalog, config.window
        self.repeat = repeat_head(config.width, config.repeat)
        self.table = ItemTable(catalog.size, config.width, 0.0, normalised=False)
        self.positions = nn.Parameter(torch.randn(config.window, config.width) * 0.02)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(MixtureBlock(config) for _ in range(config.blocks))
        self.empty = nn.Parameter(torch.randn(config.width) * 0.02)

    def item_vectors(self) -> Tensor:
        return self.table.weight

    def start(self) -> Tensor:
        return self.empty

    def encode(self, window: Events) -> tuple[Tensor, Mapping[str, Tensor]]:
        """aux: `gate.0`, `gate.1` ... [B T], what part of each block's answer was Mamba's."""
        x = self.table(window.codes) * self.config.width**0.5
        x = self.dropout(x + self.positions[: x.shape[1]])
        gates = {}
        for depth, block in enumerate(self.blocks):
            x, gates[f"gate.{depth}"] = block(x, window)
        return x.float(), gates


class MixtureBlock(nn.Module):
    """x [B T D] -> [B T D] and the gate [B T]."""

    def __init__(self, config: MoEMaTrRec.Config) -> None:
        super().__init__()
        self.mixer = MambaMixer(config.width, config.mamba)
        self.attention = SelfAttention(config.width, config.heads, config.attention_dropout)
        self.gate = nn.Linear(config.width, 1)
        self.feedforward = FeedForward(config.width, config.feedforward, config.dropout, F.relu)
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, window: Events) -> tuple[Tensor, Tensor]:
        remembered, _ = self.mixer(x, window, self.mixer.fresh(window.users))
        attended = self.norm_attention(x + self.dropout(self.attention(x)))
        gate = torch.sigmoid(self.gate(running_mean(x)))  # [B T 1]
        y = gate * remembered + (1 - gate) * attended
        return self.norm_feedforward(y + self.feedforward(y)), gate.squeeze(-1)


def running_mean(x: Tensor) -> Tensor:
    """x [B T D] -> [B T D]: at t the mean over the positions up to t."""
    return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)[:, None]
