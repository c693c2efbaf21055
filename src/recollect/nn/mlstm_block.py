"""The block around the mLSTM cell: normalise, widen, convolve, remember, gate, narrow, add.

Source: xLSTM-LSR sec. 4.3; Beck et al. 2024, fig. 10; the gated feed-forward behind it follows LRURec.
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
from recollect.nn.conv import CausalConv
from recollect.nn.dropout import Dropout
from recollect.nn.feedforward import GatedFeedForward
from recollect.nn.norm import HeadNorm
from recollect.nn.projection import BlockLinear


class MLSTMSettings(Settings):
    """How an mLSTM block is built."""

    heads: int = Field(4, ge=1)
    """Independent matrix memories; each is (expansion * width / heads) squared."""
    expansion: int = Field(2, ge=1)
    """Up-projection factor of the block."""
    convolution: int = Field(4, ge=1)
    """Width of the causal convolution that feeds q and k."""
    block: int = Field(0, ge=0)
    """Block size of the q, k, v projections (the paper: 4); 0 is dense."""
    input_gate: Literal["exp", "sigmoid"] = "exp"
    """sigmoid is the paper's ablation `w/o MTXE`."""
    forget_gate: Literal["sigmoid", "exp"] = "sigmoid"
    """exp is eq. 10 of the paper; sigmoid is what every working implementation uses."""
    output_gate: Literal["silu", "sigmoid"] = "silu"
    """silu gates with a branch of its own (the xLSTM code); sigmoid is eq. 11 of the paper."""
    forget_range: tuple[float, float] = (3.0, 6.0)
    """Where the forget gate starts, spread over the heads: f = sigmoid of it; 6 forgets to 1/e in about 400 events."""
    feedforward: float = Field(2.0, ge=0)
    """Width factor of the gated feed-forward behind the cell; 0 leaves it out (the paper's block)."""
    chunk: int = Field(32, ge=1)
    """Events a chunk of the chunkwise form; changes speed, never results."""


class MLSTMBlock(nn.Module):
    """x [B T D] -> [B T D], with the convolution's tail and the cell's memory as state."""

    def __init__(self, width: int, settings: MLSTMSettings, dropout: float) -> None:
        super().__init__()
        inner = settings.expansion * width
        if inner % settings.heads:
            raise ConfigError(
                f"expansion x width = {inner} of an mLSTM block does not divide into {settings.heads} heads"
            )
        self.settings, self.size = settings, inner // settings.heads
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * inner)
        self.conv = CausalConv(inner, settings.convolution)
        self.q, self.k, self.v = (BlockLinear(inner, settings.block or inner) for _ in range(3))
        self.gates = nn.Linear(inner, 2 * settings.heads)
        self.head_norm = HeadNorm(settings.heads, self.size)
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, width)
        self.dropout = Dropout(dropout)
        self.feedforward = GatedFeedForward(width, settings.feedforward, dropout) if settings.feedforward else None
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias[: settings.heads].normal_(std=0.1)
            start = torch.linspace(*settings.forget_range, settings.heads)
            # An exponential gate starts at the same f: one above 1 would let the first events drown all later ones.
            self.gates.bias[settings.heads :] = start if settings.forget_gate == "sigmoid" else F.logsigmoid(start)

    def fresh(self, users: int) -> State:
        heads, size = self.settings.heads, self.size
        memory = mlstm.Memory.zeros(users, heads, size, size, device=self.skip.device)
        return State({"tail": self.conv.fresh(users), **memory._asdict()})

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        heads = self.settings.heads
        inner, branch = self.up(self.norm(x)).chunk(2, dim=-1)
        mixed, tail = self.conv(inner, events.lengths, state["tail"])
        mixed = F.silu(mixed)
        q, k, v = (p.unflatten(-1, (heads, -1)).transpose(1, 2) for p in (self.q(mixed), self.k(mixed), self.v(inner)))
        log_i, log_f = self._log_gates(mixed, events.mask)
        memory = mlstm.Memory(state["cell"], state["norm"], state["peak"])
        if x.shape[1] == 1:
            now = (p[:, :, 0].float() for p in (q, k, v))
            h, memory = mlstm.step(next(now), next(now), next(now), log_i[..., 0], log_f[..., 0], memory)
            h = h.unsqueeze(2)
        else:
            h, memory = mlstm.chunkwise(q, k, v, log_i, log_f, memory, self.settings.chunk)
        remembered = self.head_norm(h.transpose(1, 2).to(mixed.dtype)) + self.skip.to(mixed.dtype) * mixed
        open_ = F.silu(branch) if self.settings.output_gate == "silu" else torch.sigmoid(branch)
        x = x + self.dropout(self.down(remembered * open_))
        if self.feedforward is not None:
            x = self.feedforward(x)
        return x, State({"tail": tail, **memory._asdict()})

    def _log_gates(self, mixed: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """mixed [B T C] -> log i, log f [B H T] fp32; padding lets nothing in and forgets nothing."""
        with torch.autocast(mixed.device.type, enabled=False):
            gates = F.linear(mixed.float(), self.gates.weight, self.gates.bias).transpose(1, 2)
        log_i, f = gates.chunk(2, dim=1)
        if self.settings.input_gate == "sigmoid":
            log_i = F.logsigmoid(log_i)
        log_f = F.logsigmoid(f) if self.settings.forget_gate == "sigmoid" else f
        real = mask[:, None, :]
        return torch.where(real, log_i, mlstm.NEVER), torch.where(real, log_f, 0.0)
