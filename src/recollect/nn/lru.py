"""The linear recurrent unit: one complex number a channel that turns and shrinks with every event.

Source: Orvieto et al. 2023 (LRU); Yue et al. 2024 (LRURec), whose public code starts angles anywhere on the circle.

    h_t = lambda * h_{t-1} + gamma * (B x_t),   y_t = Re(C h_t),   lambda = exp(-exp(nu) + i exp(theta))

B and C are complex and held as real matrices over (re, im) pairs, lambda does not depend on the input, and |lambda| < 1
whatever the parameters. `scan` is the readable reference; `fused_scan` is the same function with its gradient written
out: one pass over the events each way, several times faster to train. Tensors are time-major: a step is contiguous.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.linalg import vecdot
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.contracts import Events, State, take_last

LOG_RANGE = (-13.0, 6.0)
"""Bounds of nu, theta and log gamma: below, 1 - |lambda| drowns in fp32; above, an angle only wraps around."""
CHUNK = 16
"""Events a chunk of the fast form; changes speed, never results."""


def scan(u: Tensor, decay: Tensor, start: Tensor) -> Tensor:
    """u [T B C], decay [C], start [B C], all complex -> h [T B C], h_t = decay h_{t-1} + u_t."""
    h, out = start, []
    for now in u.unbind(0):
        h = decay * h + now
        out.append(h)
    return torch.stack(out)


def fused_scan(u: Tensor, decay: Tensor, start: Tensor) -> Tensor:
    """As `scan`, gradients of u, decay and start included."""
    return _FusedScan.apply(u, decay, start)  # type: ignore[no-untyped-call]


class _FusedScan(torch.autograd.Function):
    """The gradient runs the same recurrence backwards: g_t = dL/dh_t + conj(decay) g_{t+1}."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, decay: Tensor, start: Tensor) -> Tensor:
        h = _run(u, decay, start)
        ctx.save_for_backward(decay, start, h)
        return h

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, start, h = ctx.saved_tensors
        back = decay.conj().resolve_conj()
        g = _run(grad.resolve_conj(), back, torch.zeros_like(start), backwards=True)
        before, after = h[:-1].flatten(0, 1), g[1:].flatten(0, 1)
        grad_decay = vecdot(start, g[0], dim=0) + vecdot(before, after, dim=0)  # conj(h_{t-1}) g_t, summed
        return g, grad_decay, back * g[0]


def _run(u: Tensor, decay: Tensor, start: Tensor, backwards: bool = False) -> Tensor:
    """Whole chunks step side by side as if nothing came before them, then each adds what the one before it left.

    `backwards` runs from the last event to the first. What whole chunks leave over is stepped through alone.
    """
    way, first, last = (slice(None, None, -1), -1, 0) if backwards else (slice(None), 0, -1)
    out = torch.empty_like(u, memory_format=torch.contiguous_format)
    whole = len(u) - len(u) % CHUNK
    if whole:
        part = slice(-whole, None) if backwards else slice(whole)
        given, chunks = (x[part].view(-1, CHUNK, *x.shape[1:]) for x in (u, out))  # [N L B C]
        h = torch.zeros_like(chunks[:, 0])
        h[first] = start
        _step(given.unbind(1)[way], decay, h, chunks.unbind(1)[way])
        powers = decay.expand(CHUNK, -1).cumprod(0)[:, None]
        powers = powers.flip(0) if backwards else powers
        for before, chunk in pairwise(chunks.unbind(0)[way]):
            chunk.addcmul_(powers, before[last])
        start = chunks[last, last]
    part = slice(len(u) - whole) if backwards else slice(whole, None)
    _step(u[part].unbind(0)[way], decay, start, out[part].unbind(0)[way])
    return out


def _step(u: Sequence[Tensor], decay: Tensor, h: Tensor, out: Sequence[Tensor]) -> None:
    """Each out [... B C] = decay * the one before it + u, written in place."""
    decay = decay.expand_as(h).contiguous()
    for now, place in zip(u, out, strict=True):
        h = torch.addcmul(now, decay, h, out=place)


class LRU(nn.Module):
    """x [B T D] -> y [B T D]; the state is `memory` [B 2C], pairs (re, im) of h, in the parameters' fp32."""

    def __init__(self, width: int, channels: int, radius: tuple[float, float]) -> None:
        super().__init__()
        low, high = radius
        if not 0 < low <= high < 1:
            raise ConfigError(
                f"radius ({low:g}, {high:g}) where |lambda| starts must lie between 0 and 1, the smaller first"
            )
        # uniform on the ring low <= |lambda| <= high, at any angle; gamma keeps the memory as large as what enters it
        square = low**2 + (high**2 - low**2) * (1 - torch.rand(channels))
        self.nu = nn.Parameter((-0.5 * square.log()).log())
        self.theta = nn.Parameter((2 * math.pi * (1 - torch.rand(channels))).log())
        self.gamma = nn.Parameter(0.5 * (1 - square).log())
        self.into, self.out = nn.Linear(width, 2 * channels), nn.Linear(2 * channels, width)

    def fresh(self, users: int) -> State:
        return State({"memory": self.nu.new_zeros(users, 2 * len(self.nu))})

    def decay(self) -> Tensor:
        """[C] complex: lambda."""
        return torch.polar(torch.exp(-self._positive(self.nu)), self._positive(self.theta))

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        if x.shape[1] == 0:
            return x, state
        # gamma scales rows of the small matrix, not every event
        gamma = self._positive(self.gamma).repeat_interleave(2)
        u = F.linear(x.transpose(0, 1), gamma[:, None] * self.into.weight, gamma * self.into.bias)  # [T B 2C]
        h = fused_scan(_complex(u.to(gamma.dtype)), self.decay(), _complex(state["memory"]))
        pairs = torch.view_as_real(h).flatten(-2)
        y = self.out(pairs).transpose(0, 1)
        return y, State({"memory": take_last(pairs.transpose(0, 1), events.lengths, state["memory"])})

    @staticmethod
    def _positive(log: Tensor) -> Tensor:
        return log.clamp(*LOG_RANGE).exp()


def _complex(pairs: Tensor) -> Tensor:
    """[... 2C] -> [... C]."""
    return torch.view_as_complex(pairs.view(*pairs.shape[:-1], pairs.shape[-1] // 2, 2))
