"""Attention to a few latent interests instead of to every event, with positions attended to apart.

Source: Fan et al. 2021 (LightSANs), eq. 3-7. Keys and values are pooled over the window by learned softmax weights, so
the cost is length times interests; attention on positions sees no items, so it is one matrix for all users.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.nn.attention import attend


class LowRankAttention(nn.Module):
    """x [B T D], positions [T D], real [B T] -> [B T D]."""

    def __init__(self, width: int, heads: int, interests: int) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"attention of width {width} does not divide into {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.pool_keys, self.pool_values = (nn.Linear(width, interests, bias=False) for _ in range(2))
        self.positions = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, positions: Tensor, real: Tensor) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        keys, values = self._pooled(key, self.pool_keys, real), self._pooled(value, self.pool_values, real)
        items = attend(self._split(query), self._split(keys), self._split(values))
        here, there = self.positions(positions).expand(len(x), -1, -1).chunk(2, dim=-1)
        seen = torch.where(real, 0.0, -1e9).to(value.dtype)[:, None, None, :]
        places = attend(self._split(here), self._split(there), self._split(value), seen)
        result: Tensor = self.out((items + places).transpose(1, 2).flatten(-2))
        return result

    def _pooled(self, x: Tensor, weigh: nn.Linear, real: Tensor) -> Tensor:
        """x [B T D] -> [B interests D]: means over the window, each with weights of its own (eq. 4)."""
        weights = weigh(x).masked_fill(~real[:, :, None], -1e9).softmax(dim=1)
        return weights.transpose(1, 2).to(x.dtype) @ x

    def _split(self, x: Tensor) -> Tensor:
        """[B T D] -> [B H T d]."""
        return x.view(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)
