"""The Mamba mixer: widen, convolve, let the event choose what is written, kept and read, gate, narrow.

Source: Gu & Dao 2023 (Mamba), fig. 3 and sec. 3.4-3.6; starting values as in the published code. What stands around
it (norms, residuals, feed-forwards) differs from model to model, and is theirs.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from recollect.config import Settings
from recollect.contracts import Events, State
from recollect.nn import selective_scan
from recollect.nn.conv import CausalConv

DELTA_RANGE = (1e-3, 0.1)
"""Where the time steps start, log-uniform over the channels: state n forgets to 1/e in 1 / (n delta) events."""
STEEPEST = 40.0
"""Largest log(-A): beyond it everything is forgotten at once, and exp would soon overflow."""


class MambaSettings(Settings):
    """How a Mamba mixer is built."""

    d_state: int = Field(32, ge=1)
    """States a channel; memory and time grow with it."""
    expansion: int = Field(2, ge=1)
    """Up-projection factor: channels = expansion * width."""
    convolution: int = Field(4, ge=1)
    """Width of the causal convolution before the scan."""
    dt_rank: int = Field(0, ge=0)
    """Rank of the map from channels to time steps; 0: a sixteenth of the width, rounded up."""
    chunk: int = Field(0, ge=0)
    """Events a chunk of the scan, 0: by device; changes speed, never results."""


class MambaMixer(nn.Module):
    """x [B T D] -> [B T D], with the convolution's tail and the scan's memory [B E N] as state."""

    def __init__(self, width: int, settings: MambaSettings) -> None:
        super().__init__()
        inner, rank = settings.expansion * width, settings.dt_rank or math.ceil(width / 16)
        self.settings, self.rank = settings, rank
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.conv = CausalConv(inner, settings.convolution)
        self.select = nn.Linear(inner, rank + 2 * settings.d_state, bias=False)
        self.dt = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, settings.d_state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, width, bias=False)
        with torch.no_grad():
            self.dt.weight.uniform_(-(rank**-0.5), rank**-0.5)
            low, high = (math.log(bound) for bound in DELTA_RANGE)
            delta = torch.empty(inner).uniform_(low, high).exp()
            self.dt.bias.copy_(delta + torch.log(-torch.expm1(-delta)))  # softplus of this is delta

    def fresh(self, users: int) -> State:
        return State({"tail": self.conv.fresh(users), "memory": self.A_log.new_zeros(users, *self.A_log.shape)})

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        inner, branch = self.up(x).chunk(2, dim=-1)
        mixed, tail = self.conv(inner, events.lengths, state["tail"])
        mixed = F.silu(mixed)
        y, memory = self._scan(mixed, events.mask, state["memory"])
        # Adding nothing turns -0 into 0: a row without events gets back the very bits it came with.
        memory = torch.where((events.lengths > 0)[:, None, None], memory, state["memory"])
        return self.down(y.to(mixed.dtype) * F.silu(branch)), State({"tail": tail, "memory": memory})

    def _scan(self, mixed: Tensor, mask: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """mixed [B T E] -> y [B T E] and the memory after it; all that decides on the memory is in full precision."""
        with torch.autocast(mixed.device.type, enabled=False):
            x = mixed.to(self.A_log.dtype)
            low, B, C = self.select(x).split([self.rank, self.settings.d_state, self.settings.d_state], dim=-1)
            delta = torch.where(mask.unsqueeze(-1), F.softplus(self.dt(low)), 0.0)
            A = -torch.exp(self.A_log.clamp(max=STEEPEST))
            return selective_scan.scan(x, delta, A, B, C, self.D, memory, self.settings.chunk)
