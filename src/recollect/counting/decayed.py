"""The memory of models that look at how often: a user's last N distinct codes, each with a count that fades.

A code that is not among the last N any more is forgotten, count and all, and begins anew when it comes back; so the
memory after a history does not depend on how the history was cut in pieces.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recollect.contracts import PAD, Events

PIECE = 64
"""Events are appended so many at a time at least: what is worked on at once has cells for each pair of them."""


class Counts(NamedTuple):
    """Right-aligned distinct codes [B N], the newest at the end, and what each counts [B N], fp32."""

    distinct: Tensor
    counts: Tensor


def fresh_counts(users: int, keep: int) -> Counts:
    """Nothing met yet."""
    return Counts(torch.zeros(users, keep, dtype=torch.int64), torch.zeros(users, keep))


def push_counts(memory: Counts, events: Events, fading: Tensor) -> Counts:
    """Append events; each multiplies all counts before it by exp(-fading) and then counts one more.

    `fading` [B T] float64, zero or more; what stands in padded cells is not looked at.
    """
    codes = events.codes
    fading = torch.where(events.mask, fading, 0.0)
    size = max(memory.distinct.shape[1], PIECE)
    for start in range(0, codes.shape[1], size):
        memory = _push(memory, codes[:, start : start + size], fading[:, start : start + size])
    return memory


def _push(memory: Counts, new: Tensor, fading: Tensor) -> Counts:
    """As `push_counts`, for codes [B S] padded on the right."""
    users, keep = memory.distinct.shape
    codes = torch.cat([memory.distinct, new], dim=1)  # [B N+S], padding anywhere
    passed = fading.cumsum(1)
    left = torch.exp(passed - passed[:, -1:])  # of an event, at the end
    worth = torch.cat([memory.counts.double() * torch.exp(-passed[:, -1:]), left], dim=1)
    grouped, where = codes.sort(dim=1, stable=True)
    again = torch.zeros_like(grouped, dtype=torch.bool)
    again[:, 1:] = grouped[:, 1:] == grouped[:, :-1]
    before = torch.full_like(codes, -1).scatter(1, where, torch.where(again, where.roll(1, dims=1), -1))
    forgotten = torch.zeros_like(again)
    forgotten[:, keep:] = _distinct_since(before, codes, keep) >= keep
    # In sorted order, what still counts of a code is one run: it begins where the code is new, or was forgotten.
    run = (~again | forgotten.gather(1, where)).cumsum(1) - 1
    total = torch.zeros_like(worth).scatter_add(1, run, worth.gather(1, where)).gather(1, run)
    newest = torch.ones_like(again)
    newest[:, :-1] = ~again[:, 1:]
    kept = torch.zeros_like(again).scatter(1, where, newest & (grouped != PAD))
    total = torch.zeros_like(total).scatter(1, where, total).float()
    # The rank of a kept code from the end is its distance from the right edge of the new memory.
    rank = kept.flip(1).cumsum(1).flip(1)  # 1 is the newest
    place = torch.where(kept & (rank <= keep), keep - rank, keep)
    room = torch.zeros(users, keep + 1, dtype=torch.int64, device=codes.device)
    space = torch.zeros(users, keep + 1, device=codes.device)
    return Counts(room.scatter(1, place, codes)[:, :keep], space.scatter(1, place, total)[:, :keep])


def _distinct_since(before: Tensor, codes: Tensor, first: int) -> Tensor:
    """[B S]: of each place from `first` on, how many distinct codes came since the same code was met; 0 if never.

    A code came since place p for the first time at j where j > p and it was last met before p: `before[j] < p`.
    """
    last = before[:, first:, None]  # [B S 1]
    place = torch.arange(codes.shape[1], device=codes.device)
    inside = (place > last) & (place < place[first:, None])  # [B S L]
    since = inside & (before[:, None] < last) & (codes != PAD)[:, None]
    return torch.where(last[..., 0] >= 0, since.sum(-1), 0)
