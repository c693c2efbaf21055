"""The memory of models that look at a set of items: a user's last N distinct codes, the newest at the end.

A code that comes again moves to the end, so the memory after a history does not depend on how it was cut in pieces.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recollect.contracts import PAD, Events


def fresh_distinct(users: int, keep: int) -> Tensor:
    """[B N]: nothing met yet."""
    return torch.zeros(users, keep, dtype=torch.int64)


def push_distinct(distinct: Tensor, events: Events) -> Tensor:
    """Append events to right-aligned distinct codes [B N]; those met longest ago are dropped."""
    keep = distinct.shape[1]
    codes = torch.cat([distinct, events.codes], dim=1)  # [B N+T], padding anywhere
    grouped, where = codes.sort(dim=1, stable=True)
    newest = torch.ones_like(grouped, dtype=torch.bool)
    newest[:, :-1] = grouped[:, 1:] != grouped[:, :-1]
    kept = torch.zeros_like(newest).scatter(1, where, newest & (grouped != PAD))
    # The rank of a kept code from the end is its distance from the right edge of the new memory.
    rank = kept.flip(1).cumsum(1).flip(1)  # [B N+T], 1 is the newest
    place = torch.where(kept & (rank <= keep), keep - rank, keep)
    room = torch.zeros(len(codes), keep + 1, dtype=torch.int64, device=codes.device)
    return room.scatter(1, place, codes)[:, :keep]


def profiles(distinct: np.ndarray, size: int, decay: float = 1.0) -> sp.csr_array:
    """Distinct codes [b N] -> the sets of items [b V]: 1 in the newest cell, times `decay` for each further back."""
    filled = distinct != PAD
    offsets = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    worth = decay ** np.arange(distinct.shape[1] - 1, -1, -1.0)
    weights = np.broadcast_to(worth.astype(np.float32), distinct.shape)[filled]
    return sp.csr_array((weights, distinct[filled], offsets), shape=(len(distinct), size))
