"""Time in a carried network: the gaps between events, a stream clocked by real time, and the moment of asking.

Each is a switch, and all start off. Without them, or for a log that has only an order, a network is as it would be
without this part. The last time is part of the state; what is asked at a moment changes no state.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recollect.config import Settings
from recollect.contracts import Events, State, take_last
from recollect.nn.temporal_stream import TemporalStream, Wave

GAP = "gap"
"""The feature column [B T] of a network that reads gaps: seconds since the user's event before, 0 for the first."""
NEVER = -(1 << 62)
"""Stands for the time of the last event of a user without events."""
BUCKETS, WIDENING = 48, 0.4
"""Buckets of the logarithm of the seconds between the last event and the moment of asking, and how wide each is."""
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400
MONDAY = 4 * DAY
"""Seconds from 1970 to the first Monday: the epoch was a Thursday."""


class MomentSettings(Settings):
    """What a network makes of time."""

    stream: bool = False
    """Whether a stream clocked by real time is read beside the events (periods from a minute to four years)."""
    request: bool = False
    """Whether the model is told when it is asked; in training, the time of the next event."""

    @property
    def reads_gaps(self) -> bool:
        """Whether the network itself reads the time between events."""
        return False


class TimeSettings(MomentSettings):
    """What a network with matrix memories makes of time."""

    gaps: bool = False
    """Whether the forget gates of matrix memories close the more, the longer a user was away."""

    @property
    def reads_gaps(self) -> bool:
        return self.gaps


class Clock(nn.Module):
    """The clock of one network of this width; its corner of the state is empty where nothing is switched on."""

    def __init__(self, width: int, settings: MomentSettings) -> None:
        super().__init__()
        self.settings = settings
        if settings.stream:
            self.stream = TemporalStream(width)
            self.stream_norm = nn.RMSNorm(2 * width)
            self.stream_out = nn.Linear(2 * width, width, bias=False)
            nn.init.zeros_(self.stream_out.weight)
        if settings.request:
            self.gap, self.hour, self.day = (nn.Embedding(size, width) for size in (BUCKETS, 24, 7))
            self.gate, self.add = nn.Linear(width, width), nn.Linear(width, width)
            for linear in (self.gate, self.add):
                nn.init.zeros_(linear.weight)
                nn.init.zeros_(linear.bias)

    @property
    def used(self) -> bool:
        """Whether anything is switched on."""
        return self.settings.reads_gaps or self.settings.stream or self.settings.request

    def fresh(self, users: int, device: torch.device) -> State:
        if not self.used:
            return State({})
        state = {"last": torch.full((users,), NEVER, dtype=torch.int64, device=device)}
        return State(state | (self.stream.fresh(users)._asdict() if self.settings.stream else {}))

    def read(self, x: Tensor, events: Events, state: State) -> tuple[Events, State, Mapping[str, Tensor]]:
        """x [B T D]: what the network reads of the events -> the events with their gaps, the state after them, and the
        same state after each of them, [B T ...]."""
        if not self.used or events.items.shape[1] == 0:
            return events, state, {}
        mask = events.mask
        times = torch.zeros_like(events.items) if events.times is None else events.times
        # In a padded cell the time stands still.
        times = torch.where(mask, times, NEVER).cummax(dim=1).values
        before = torch.cat([state["last"][:, None], times[:, :-1]], dim=1)
        gaps = torch.where(mask & (before != NEVER), times - before, 0).clamp(min=0).float()
        after = {"last": times}
        if self.settings.stream:
            wave = Wave(state["real"], state["imaginary"])
            after |= self.stream(x, torch.where(mask, times, 0), gaps, mask, wave)._asdict()
        ends = {
            name: take_last(each, events.lengths, state[name])
            if each.dim() == 3
            else take_last(each.unsqueeze(-1), events.lengths, state[name].unsqueeze(-1)).squeeze(-1)
            for name, each in after.items()
        }
        if self.settings.reads_gaps:
            events = Events(events.items, events.lengths, events.times, {**events.features, GAP: gaps})
        return events, State(ends), after

    def respond(self, hidden: Tensor, memory: Mapping[str, Tensor], at: Tensor | None) -> Tensor:
        """hidden [N D] and the corner of the state [N ...] -> [N D] as it is scored at the times `at` [N]; None: right
        after the last event."""
        if not (self.settings.stream or self.settings.request):
            return hidden
        known = memory["last"] != NEVER
        last = torch.where(known, memory["last"], 0)
        now = last if at is None or not self.settings.request else torch.where(known, torch.maximum(at, last), at)
        result = hidden
        if self.settings.stream:
            y = self.stream.read(Wave(memory["real"], memory["imaginary"]), last, now)
            result = result + self.stream_out(self.stream_norm(y)).to(hidden.dtype)
        if self.settings.request:
            told = self._told(now, torch.where(known, now - last, 0), at is not None).to(hidden.dtype)
            result = result * (1 + torch.tanh(self.gate(told))) + self.add(told)
        return result.to(hidden.dtype)

    def _told(self, now: Tensor, gap: Tensor, asked: bool) -> Tensor:
        """[N D]: the moment of asking, in words that a network reads; zeros where nobody said when."""
        if not asked:
            return self.gap.weight.new_zeros(len(now), self.gap.embedding_dim)
        bucket = (gap.clamp(min=1).float().log() / WIDENING).long().clamp(max=BUCKETS - 1)
        hour, day = torch.remainder(now, DAY) // HOUR, torch.remainder(now - MONDAY, WEEK) // DAY
        told: Tensor = self.gap(bucket) + self.hour(hour) + self.day(day)
        return told
