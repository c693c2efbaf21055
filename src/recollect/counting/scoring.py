"""Scores of many users from NumPy and SciPy, some rows at a time, so that memory stays bounded beside the answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recollect.contracts import PAD

CELLS = 1 << 24
"""How many scores or similarities are worked out at a time."""


def rows_at_once(width: int) -> int:
    """How many rows of `width` cells make a block."""
    return max(1, CELLS // max(1, width))


def score_in_blocks(
    score_rows: Callable[[slice], np.ndarray], users: int, size: int, items: Tensor | None, device: torch.device
) -> Tensor:
    """`score_rows` gives [b V] for a slice of users -> [B V], or [B K] for candidates [K] or [B K]; padding -inf."""
    wanted = None if items is None else items.expand(users, -1).cpu().numpy()
    answer = np.empty((users, size if wanted is None else wanted.shape[1]), np.float32)
    block = rows_at_once(size)
    for start in range(0, users, block):
        rows = slice(start, min(start + block, users))
        scores = score_rows(rows)
        scores[:, PAD] = -np.inf
        answer[rows] = scores if wanted is None else np.take_along_axis(scores, wanted[rows], axis=1)
    return torch.from_numpy(answer).to(device)


def log_popularity(counts: np.ndarray) -> np.ndarray:
    """counts [V] of events -> [V]: the log of each item's share, every item given one more; who is unknown gets it."""
    smoothed = counts + 1.0
    return np.log(smoothed / smoothed[PAD + 1 :].sum()).astype(np.float32)
