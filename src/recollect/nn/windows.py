"""Short windows cut from long sequences: exactly the last m events of each position, or cheaper overlapped blocks.

Source: the short-term stream of xLSTM-LSR reads the last m events only (sec. 4.4). Exact windows cost m cells an event;
overlapped blocks cost about two, and give each position m to 2m - 1 events of context, drawn by a random offset.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Encoder = Callable[[Tensor, Tensor, int], Tensor]
"""(windows [N W D], valid [N W], last) -> hidden [N last D], at the last cells of each window."""


def align_right(recent: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
    """Left-aligned codes [B M] with `held` [B] filled -> the same ending at the last cell, and which are real."""
    place = torch.arange(recent.shape[1], device=recent.device) - (recent.shape[1] - held)[:, None]
    return torch.where(place >= 0, recent.gather(1, place.clamp(min=0)), 0), place >= 0


def sliding(x: Tensor, valid: Tensor, size: int, encode: Encoder) -> Tensor:
    """x [B size-1+T D] -> [B T D]: position t is encoded from the `size` cells that end there."""
    B, T = x.shape[0], x.shape[1] - size + 1
    if T == 0:
        return x[:, :0]
    windows = x.unfold(1, size, 1).transpose(2, 3).reshape(B * T, size, -1)
    return encode(windows, valid.unfold(1, size, 1).reshape(B * T, size), 1).reshape(B, T, -1)


def overlapped(x: Tensor, valid: Tensor, size: int, encode: Encoder, offset: int) -> Tensor:
    """As `sliding`, from blocks of 2 size - 1 cells of which the last `size` are used; `offset` in [0, size)."""
    B, T = x.shape[0], x.shape[1] - size + 1
    if T == 0:
        return x[:, :0]
    left, blocks = grid(T, size, offset)
    right = (blocks + 1) * size - 1 - x.shape[1] - left
    x, valid = F.pad(x, (0, 0, left, right)), F.pad(valid, (left, right))
    windows = x.unfold(1, 2 * size - 1, size).transpose(2, 3).reshape(B * blocks, 2 * size - 1, -1)
    hidden = encode(windows, valid.unfold(1, 2 * size - 1, size).reshape(B * blocks, -1), size)
    return hidden.reshape(B, blocks * size, -1)[:, left : left + T]


def grid(T: int, size: int, offset: int) -> tuple[int, int]:
    """For `overlapped`: the cells to add on the left, and the blocks that T positions fill then."""
    left = size - offset
    return left, -(-(T + left) // size)
