"""The blocks around the mLSTM cell: that of the xLSTM-LSR paper, and that of xLSTM 7B.

Source: xLSTM-LSR sec. 4.3 and Beck et al. 2024, fig. 10, with a gated feed-forward behind it as LRURec has; Beck et al.
2025 (xLSTM 7B), fig. 1, for the other: no convolution, keys half as wide as values, soft-capped gates, RMS norms.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import ConfigError, Settings
from recollect.contracts import Events, State
from recollect.nn import mlstm
from recollect.nn.clock import GAP
from recollect.nn.conv import CausalConv
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import GatedFeedForward
from recollect.nn.initialisation import (
    Initialisation,
    Place,
    start_convolution,
    start_feedforward,
    start_small,
    start_wang,
)
from recollect.nn.matrix_memory import MatrixMemory
from recollect.nn.projection import BlockLinear, halves

GATE_CAP = 15.0
"""Soft cap of the gates in the 7B style."""
CLOSED = -10.0
"""Where the input gate of xLSTM 7B starts (Beck et al. 2025): nearly closed."""


class MLSTMSettings(Settings):
    """How an mLSTM block is built."""

    style: Literal["lsr", "7b"] = "lsr"
    """lsr: the paper's block, a convolution and a skip around the cell; 7b: xLSTM 7B's, leaner and without them."""
    heads: int = Field(4, ge=1)
    """Independent matrix memories; each is (expansion * width / heads) squared (7b: half as many keys)."""
    expansion: int = Field(2, ge=1)
    """How much wider the cell is than the block (7b as published: 1)."""
    convolution: int = Field(4, ge=1)
    """Width of the causal convolution that feeds q and k; not in the 7b style."""
    block: int = Field(0, ge=0)
    """Block size of the q, k, v projections (the paper: 4); 0 is dense; not in the 7b style."""
    projection_bias: bool = False
    """Biases of the q, k, v projections (eq. 6-8 of the paper; the xLSTM code has none); not in the 7b style."""
    gates_read: Literal["convolution", "qkv", "input"] = "convolution"
    """What the input and forget gates read: the convolved branch, q, k and v side by side (the xLSTM code), or the
    branch before its convolution (eq. 9-10 of the paper); not in the 7b style."""
    input_gate: Literal["exp", "sigmoid"] = "exp"
    """sigmoid is the paper's ablation `w/o MTXE`."""
    forget_gate: Literal["sigmoid", "exp"] = "sigmoid"
    """exp is eq. 10 of the paper; sigmoid is what every working implementation uses."""
    output_gate: Literal["silu", "sigmoid"] | None = None
    """silu has a branch of its own (the xLSTM code), sigmoid is eq. 11 of the paper; unset: silu (7b: sigmoid)."""
    forget_range: tuple[float, float] = (3.0, 6.0)
    """Where the forget gate starts, spread over the heads: f = sigmoid of it; 6 forgets to 1/e in about 400 events."""
    initialisation: Initialisation = "own"
    """own: projections start uniform, as torch's layers do; nxai: as in NX-AI's code, normal and smaller, those back
    into the residual by the number of blocks (7b: the input gate nearly closed, besides)."""
    feedforward: float | None = Field(None, ge=0)
    """Width factor of the gated feed-forward behind the cell; 0: none (the paper's block); unset: 2 (7b: 8/3)."""
    chunk: int = Field(32, ge=1)
    """Events a chunk of the chunkwise form; changes speed, never results."""

    @property
    def feedforward_factor(self) -> float:
        """`feedforward`, or what it stands for where it is unset."""
        if self.feedforward is not None:
            return self.feedforward
        return 2.0 if self.style == "lsr" else 8 / 3


def make_mlstm_block(
    width: int, settings: MLSTMSettings, dropout: float, place: Place = (0, 1), *, elapsing: bool = False
) -> MLSTMBlock | MLSTM7BBlock:
    """The block of the style that the settings name; `place`: which of how many. `elapsing`: it forgets with the time
    between events."""
    style = MLSTMBlock if settings.style == "lsr" else MLSTM7BBlock
    return style(width, settings, dropout, place, elapsing=elapsing)


class MLSTMBlock(nn.Module):
    """x [B T D] -> [B T D], with the convolution's tail and the cell's memory as state."""

    def __init__(
        self, width: int, settings: MLSTMSettings, dropout: float, place: Place = (0, 1), *, elapsing: bool = False
    ) -> None:
        super().__init__()
        inner, self.heads, self.size = _sizes(width, settings)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * inner)
        self.conv = CausalConv(inner, settings.convolution)
        self.q, self.k, self.v = (
            BlockLinear(inner, settings.block or inner, bias=settings.projection_bias) for _ in range(3)
        )
        self.reads = settings.gates_read
        self.memory = _memory(settings, self.size, 3 * inner if self.reads == "qkv" else inner, elapsing=elapsing)
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, width)
        self.open = torch.sigmoid if settings.output_gate == "sigmoid" else F.silu
        self.dropout = Dropout(dropout)
        factor = settings.feedforward_factor
        self.feedforward = GatedFeedForward(width, factor, dropout) if factor else None
        self.memory.set_gates(settings.forget_range)
        if settings.initialisation == "nxai":
            for layer in (self.up, self.q, self.k, self.v):
                start_small(layer, width)
            start_convolution(self.conv)
            start_wang(self.down, width, place)
            start_feedforward(self.feedforward, width, place)

    def fresh(self, users: int) -> State:
        memory = mlstm.Memory.zeros(users, self.heads, self.size, self.size, device=self.skip.device)
        return State({"tail": self.conv.fresh(users), **memory._asdict()})

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        inner, branch = halves(self.up, self.norm(x))
        mixed, tail = self.conv(inner, events.lengths, state["tail"])
        mixed = F.silu(mixed)
        qkv = self.q(mixed), self.k(mixed), self.v(inner)
        read = mixed if self.reads == "convolution" else inner if self.reads == "input" else torch.cat(qkv, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in qkv)
        memory = mlstm.Memory(state["cell"], state["norm"], state["peak"])
        h, memory = self.memory(q, k, v, read, events.mask, memory, events.features.get(GAP))
        h = h + self.skip.to(mixed.dtype) * mixed
        x = x + self.dropout(self.down(h * self.open(branch)))
        if self.feedforward is not None:
            x = self.feedforward(x)
        return x, State({"tail": tail, **memory._asdict()})


class MLSTM7BBlock(nn.Module):
    """x [B T D] -> [B T D], with the cell's memory as state: everything is read from the normalised input itself."""

    def __init__(
        self, width: int, settings: MLSTMSettings, dropout: float, place: Place = (0, 1), *, elapsing: bool = False
    ) -> None:
        super().__init__()
        for name in ("convolution", "block", "projection_bias", "gates_read", "output_gate"):
            if getattr(settings, name) != MLSTMSettings.model_fields[name].default:
                raise ConfigError(f"mlstm.{name}: the 7b style has none; leave it out, or set mlstm.style=lsr")
        inner, self.heads, self.size = _sizes(width, settings)
        if self.size % 2:
            raise ConfigError(f"heads of {self.size} channels cannot have keys half as wide; use fewer mlstm.heads")
        self.norm = nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 2 * inner, bias=False)  # q and k take half of inner each, v all of it
        self.memory = _memory(settings, self.size, width, cap=GATE_CAP, elapsing=elapsing)
        self.gate = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = Dropout(dropout)
        factor = settings.feedforward_factor
        self.feedforward = GatedFeedForward(width, factor, dropout, norm=nn.RMSNorm(width)) if factor else None
        self.memory.set_gates(settings.forget_range, CLOSED if settings.initialisation == "nxai" else None)
        if settings.initialisation == "nxai":
            start_small(self.qkv, width)
            start_small(self.gate, width)
            start_wang(self.down, width, place)
            start_feedforward(self.feedforward, width, place)

    def fresh(self, users: int) -> State:
        memory = mlstm.Memory.zeros(users, self.heads, self.size // 2, self.size, device=self.qkv.weight.device)
        return State(memory._asdict())

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        inner = self.norm(x)
        half = self.heads * self.size // 2
        parts = self.qkv(inner).split([half, half, 2 * half], dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in parts)
        h, memory = self.memory(q, k, v, inner, events.mask, mlstm.Memory(**state), events.features.get(GAP))
        x = x + self.dropout(self.down(h * torch.sigmoid(self.gate(inner))))
        if self.feedforward is not None:
            x = self.feedforward(x)
        return x, State(memory._asdict())


def _sizes(width: int, settings: MLSTMSettings) -> tuple[int, int, int]:
    """Channels of the cell, its heads, and channels of a head."""
    inner = settings.expansion * width
    if inner % settings.heads:
        raise ConfigError(f"expansion x width = {inner} of an mLSTM block does not divide into {settings.heads} heads")
    return inner, settings.heads, inner // settings.heads


def _memory(settings: MLSTMSettings, size: int, read: int, cap: float | None = None, *, elapsing: bool) -> MatrixMemory:
    return MatrixMemory(
        settings.heads,
        size,
        read,
        input_gate=settings.input_gate,
        forget_gate=settings.forget_gate,
        chunk=settings.chunk,
        cap=cap,
        elapsing=elapsing,
    )
