"""Slices of flat event columns as padded blocks: how a million users are streamed in constant memory.

Ranking and recommending both walk many histories; here they are gathered by vectorised indexing, never user by user.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from recollect.contracts import PAD, Events

LEAST_COST = 32
"""Tokens that a row costs however short it is: a memory has a size of its own, so blocks of newcomers stay bounded."""


ACCELERATOR_TOKENS = 131_072
"""Cells of a block elsewhere than on a CPU: a GPU ranks two to a hundred times as many users a second in large ones."""


def tokens_on(device: torch.device, on_cpu: int) -> int:
    """Cells of a block on a device."""
    return on_cpu if device.type == "cpu" else ACCELERATOR_TOKENS


def ranges(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers `starts[r]` to `ends[r]` (not included) of every row, end to end, and the row of each: both [N]."""
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    rows = np.repeat(np.arange(len(starts)), lengths)
    return np.arange(int(lengths.sum())) + (starts - before)[rows], rows


def padded(items: np.ndarray, times: np.ndarray | None, starts: np.ndarray, ends: np.ndarray) -> Events:
    """Events of row r = `starts[r]:ends[r]` of the columns, right-padded with zeros to the longest row."""
    lengths = ends - starts
    width = int(lengths.max(initial=0))
    place = np.arange(width)
    inside = place < lengths[:, None]  # [B T]
    index = np.where(inside, starts[:, None] + place, 0)

    def gathered(column: np.ndarray, filler: int) -> torch.Tensor:
        if len(column) == 0:
            return torch.zeros(index.shape, dtype=torch.int64)
        return torch.from_numpy(np.where(inside, column[index], filler).astype(np.int64, copy=False))

    clock = None if times is None else gathered(times, 0)
    return Events(gathered(items, PAD), torch.from_numpy(lengths.astype(np.int64)), clock)


def pieces(
    items: np.ndarray, times: np.ndarray | None, starts: np.ndarray, ends: np.ndarray, segment: int
) -> Iterator[Events]:
    """The same rows, at most `segment` events at a time; rows that have ended come with length zero."""
    longest = int((ends - starts).max(initial=0))
    for done in range(0, longest, segment):
        yield padded(items, times, np.minimum(starts + done, ends), np.minimum(starts + done + segment, ends))


def by_length(lengths: np.ndarray, token_budget: int, segment: int) -> Iterator[np.ndarray]:
    """Row numbers in blocks, longest first, so that rows times padded width stays within the budget.

    A row costs at least `LEAST_COST` and at most `segment` tokens, and a block holds at least one row.
    """
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        cost = min(max(int(lengths[order[begin]]), LEAST_COST), segment)
        end = begin + max(1, token_budget // cost)
        yield order[begin:end]
        begin = end
