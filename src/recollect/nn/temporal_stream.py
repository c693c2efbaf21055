"""The temporal stream: a linear recurrence clocked by real time, read out at the moment of asking.

Source: the temporal channel of FuXi-Linear. Per head h with a period P_h, omega_h = 2 pi / P_h and
lambda_h = -ln(gamma_h) omega_h, where 0 < gamma_h < 1 is learned and begins at 1/2:

    z_h(j) = exp((-lambda_h + i omega_h)(t_j - t_{j-1})) z_h(j-1) + v_j
    y_h    = exp((-lambda_h + i omega_h)(t_ask - t_j)) z_h(j)

What is kept is z_h turned back by the angle of its own time, s_h(j) = exp(-i omega_h t_j) z_h(j): it decays by real
numbers, the same for both of its parts, and the angles come in with what is written and with what is read. Angles are
of the time modulo the period, which is taken in integers: float32 knows no second of this century.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = 8
SHORTEST, LONGEST = 60, 4 * 365 * 86_400
"""Seconds: the periods run geometrically from the one to the other."""
FORGOTTEN = 50.0
"""An exponent of which nothing is left; larger ones would cost the sums around them their precision."""


class Wave(NamedTuple):
    """What the stream remembers, [... D] each, fp32: the two parts of s."""

    real: Tensor
    imaginary: Tensor


class TemporalStream(nn.Module):
    """x [B T D] at times [B T] -> what is remembered after each event; and from that, [... 2 D] at any later time."""

    periods: Tensor

    def __init__(self, width: int, chunk: int = 32) -> None:
        super().__init__()
        self.heads = next(heads for heads in range(min(HEADS, width), 0, -1) if width % heads == 0)
        self.chunk = chunk
        self.norm, self.value = nn.LayerNorm(width), nn.Linear(width, width, bias=False)
        self.fading = nn.Parameter(torch.zeros(self.heads))  # gamma = sigmoid of it
        ratio = (LONGEST / SHORTEST) ** (1 / max(self.heads - 1, 1))
        periods = [round(SHORTEST * ratio**head) for head in range(self.heads)]
        self.register_buffer("periods", torch.tensor(periods), persistent=False)

    def fresh(self, users: int) -> Wave:
        none = self.value.weight.new_zeros(users, self.value.out_features, dtype=torch.float32)
        return Wave(none, none)

    def forward(self, x: Tensor, times: Tensor, gaps: Tensor, mask: Tensor, before: Wave) -> Wave:
        """x [B T D]; times, gaps [B T] seconds, of each event and since the one before it; mask [B T]: real events.

        -> the memory after each event, [B T D] each. What stands in padded cells changes nothing.
        """
        with torch.autocast(x.device.type, enabled=False):
            value = _heads(self.value(self.norm(x.float())), self.heads)  # [B T H d]
            value = value * mask[:, :, None, None]
            cosine, sine = self._angle(times)
            written = torch.cat([value * cosine, -value * sine], dim=-1)  # v exp(-i omega t), both parts side by side
            faded = (self._rates() * gaps.unsqueeze(-1)).clamp(max=FORGOTTEN) * mask.unsqueeze(-1)  # [B T H]
            start = torch.cat([_heads(part, self.heads) for part in before], dim=-1)  # [B H 2d]
            kept = self._scan(written.transpose(1, 2), faded.transpose(1, 2), start).transpose(1, 2)
            real, imaginary = kept.chunk(2, dim=-1)
            return Wave(real.flatten(2), imaginary.flatten(2))

    def read(self, wave: Wave, last: Tensor, at: Tensor) -> Tensor:
        """wave [N D], the time of its last event [N] and the time of asking [N], seconds -> y [N 2 D]."""
        with torch.autocast(last.device.type, enabled=False):
            real, imaginary = (_heads(part.float(), self.heads) for part in wave)
            faded = (self._rates() * (at - last).clamp(min=0).unsqueeze(-1)).clamp(max=FORGOTTEN)
            left = torch.exp(-faded).unsqueeze(-1)  # [N H 1]
            cosine, sine = self._angle(at)
            turned = (real * cosine - imaginary * sine) * left, (real * sine + imaginary * cosine) * left
            return torch.cat([part.flatten(1) for part in turned], dim=-1)

    def _rates(self) -> Tensor:
        """[H]: lambda, a second."""
        return F.softplus(-self.fading) * (2 * math.pi) / self.periods

    def _angle(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """times [...] -> cosine and sine of omega t, [... H 1]."""
        turn = torch.remainder(times.unsqueeze(-1), self.periods).float() * (2 * math.pi) / self.periods
        return turn.cos().unsqueeze(-1), turn.sin().unsqueeze(-1)

    def _scan(self, written: Tensor, faded: Tensor, start: Tensor) -> Tensor:
        """s_t = exp(-faded_t) s_{t-1} + written_t over written [B H T c], faded [B H T], from start [B H c]."""
        steps = written.shape[2]
        chunk = min(self.chunk, max(steps, 1))
        if short := -steps % chunk:
            written, faded = F.pad(written, (0, 0, 0, short)), F.pad(faded, (0, short))
        written = written.reshape(*written.shape[:2], -1, chunk, written.shape[-1])  # [B H N L c]
        total = faded.reshape(*faded.shape[:2], -1, chunk).cumsum(-1)  # [B H N L]
        past = torch.ones(chunk, chunk, dtype=torch.bool, device=written.device).tril()
        weight = (total.unsqueeze(-2) - total.unsqueeze(-1)).masked_fill(~past, -torch.inf).exp()
        inside = weight @ written
        left = torch.exp(-total).unsqueeze(-1)  # [B H N L 1]
        states = []
        for new, kept in zip(inside.unbind(2), left.unbind(2), strict=True):
            whole = new + kept * start.unsqueeze(2)
            states.append(whole)
            start = whole[:, :, -1]
        return torch.cat(states, dim=2)[:, :, :steps]


def _heads(x: Tensor, heads: int) -> Tensor:
    """[... D] -> [... H d]."""
    return x.reshape(*x.shape[:-1], heads, -1)
