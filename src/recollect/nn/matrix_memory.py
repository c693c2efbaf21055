"""The mLSTM cell with its gates and its norm: what every kind of mLSTM block has at its heart.

Source: Beck et al. 2024 (xLSTM), eq. 19-27 and fig. 10; the soft cap on the gates is xLSTM 7B's (Beck et al. 2025).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.nn import mlstm
from recollect.nn.norm import HeadNorm

Gate = Literal["exp", "sigmoid"]


class MatrixMemory(nn.Module):
    """q, k [B T H dk], v [B T H dv], and what the gates read [B T C] -> what is remembered, normalised [B T H*dv].

    `cap`: the gates' inputs are bounded to plus or minus it, by cap tanh(x / cap). `chunk`: events a chunk; changes
    speed, never results. `elapsing`: the forget gate closes with the time since the event before.
    """

    tau: Tensor

    def __init__(
        self,
        heads: int,
        size: int,
        read: int,
        *,
        input_gate: Gate,
        forget_gate: Gate,
        chunk: int,
        cap: float | None = None,
        elapsing: bool = False,
    ) -> None:
        super().__init__()
        self.input_gate, self.forget_gate, self.chunk, self.cap = input_gate, forget_gate, chunk, cap
        self.gates = nn.Linear(read, 2 * heads)
        self.norm = HeadNorm(heads, size)
        if elapsing:
            # log f -= softplus(a) ln(1 + gap / tau): a starts near 0, tau runs from a minute to a year over the heads
            self.elapse = nn.Parameter(torch.full((heads,), -3.0))
            self.register_buffer("tau", torch.logspace(math.log10(60), math.log10(3.15e7), heads), persistent=False)

    def set_gates(self, forget_range: tuple[float, float], input_bias: float | None = None) -> None:
        """Start the gates blind to what they read: f from sigmoid(low) to sigmoid(high) over the heads, i about 1.

        `input_bias`: what the input gate's input starts at instead, in every head.
        """
        heads = self.gates.out_features // 2
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias[:heads].normal_(std=0.1)
            if input_bias is not None:
                self.gates.bias[:heads] = input_bias
            start = torch.linspace(*forget_range, heads)
            # An exponential gate starts at the same f: one above 1 would let the first events drown all later ones.
            self.gates.bias[heads:] = start if self.forget_gate == "sigmoid" else F.logsigmoid(start)

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        read: Tensor,
        mask: Tensor,
        memory: mlstm.Memory,
        gaps: Tensor | None = None,
    ) -> tuple[Tensor, mlstm.Memory]:
        """`mask` [B T]: True where an event stands; `gaps` [B T]: seconds since the event before, if it is elapsing."""
        log_i, log_f = self.log_gates(read, mask)
        if gaps is not None:
            away = (gaps[:, None] / self.tau[:, None]).log1p()  # [B H T]
            log_f = log_f - F.softplus(self.elapse)[:, None] * away
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # [B H T d]
        if q.shape[2] == 1:
            now = (part[:, :, 0].float() for part in (q, k, v))
            h, memory = mlstm.step(next(now), next(now), next(now), log_i[..., 0], log_f[..., 0], memory)
            h = h.unsqueeze(2)
        else:
            h, memory = mlstm.chunkwise(q, k, v, log_i, log_f, memory, self.chunk)
        return self.norm(h.transpose(1, 2).to(read.dtype)), memory

    def log_gates(self, read: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """read [B T C] -> log i, log f [B H T] fp32; padding lets nothing in and forgets nothing."""
        with torch.autocast(read.device.type, enabled=False):
            gates = F.linear(read.float(), self.gates.weight, self.gates.bias).transpose(1, 2)
        if self.cap is not None:
            gates = self.cap * torch.tanh(gates / self.cap)
        log_i, f = gates.chunk(2, dim=1)
        if self.input_gate == "sigmoid":
            log_i = F.logsigmoid(log_i)
        log_f = F.logsigmoid(f) if self.forget_gate == "sigmoid" else f
        real = mask[:, None, :]
        return torch.where(real, log_i, mlstm.NEVER), torch.where(real, log_f, 0.0)
