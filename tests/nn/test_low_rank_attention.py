"""Low-rank attention against its equations, one row and one head at a time, without any padding."""

from __future__ import annotations

import pytest
import torch

from recollect.config import ConfigError
from recollect.nn.low_rank_attention import LowRankAttention


def by_hand(layer: LowRankAttention, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """x, positions [T D] -> [T D]."""
    width, heads = x.shape[1], layer.heads
    size = width // heads
    query, key, value = (x @ layer.qkv.weight.T + layer.qkv.bias).split(width, dim=-1)
    pooled = [
        (part @ pool.weight.T).softmax(dim=0).T @ part
        for part, pool in ((key, layer.pool_keys), (value, layer.pool_values))
    ]
    where_q, where_k = (positions @ layer.positions.weight.T + layer.positions.bias).split(width, dim=-1)
    out = []
    for head in range(heads):
        mine = slice(head * size, (head + 1) * size)
        items = (query[:, mine] @ pooled[0][:, mine].T / size**0.5).softmax(-1) @ pooled[1][:, mine]
        places = (where_q[:, mine] @ where_k[:, mine].T / size**0.5).softmax(-1) @ value[:, mine]
        out.append(items + places)
    return torch.cat(out, dim=-1) @ layer.out.weight.T + layer.out.bias


def test_it_is_its_equations_whatever_the_padding() -> None:
    torch.manual_seed(0)
    layer = LowRankAttention(8, 2, 3).double()
    x, positions = torch.randn(3, 6, 8).double(), torch.randn(6, 8).double()
    lengths = [6, 4, 1]
    real = torch.arange(6) < torch.tensor(lengths)[:, None]
    found = layer(x, positions, real)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(found[row, :length], by_hand(layer, x[row, :length], positions[:length]))


def test_a_row_without_events_is_finite() -> None:
    layer = LowRankAttention(8, 2, 3)
    assert layer(torch.randn(1, 4, 8), torch.randn(4, 8), torch.zeros(1, 4, dtype=torch.bool)).isfinite().all()


def test_heads_must_divide() -> None:
    with pytest.raises(ConfigError, match="does not divide"):
        LowRankAttention(9, 2, 3)
