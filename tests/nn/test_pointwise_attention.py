"""Pointwise attention against loops over its definition, and its buckets of time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from recollect.config import ConfigError
from recollect.nn.pointwise_attention import BUCKET, PointwiseBlock, time_buckets


def by_hand(block: PointwiseBlock, x: torch.Tensor, gaps: torch.Tensor | None) -> torch.Tensor:
    """x [T D], gaps [T T] -> [T D], pair by pair."""
    length, width = x.shape
    size = width // block.heads
    inner = F.layer_norm(x, (width,), block.norm.weight, block.norm.bias, eps=1e-6)
    u, v, q, k = F.silu(inner @ block.uvqk.weight.T).split(width, dim=-1)
    h = torch.zeros_like(x)
    for i in range(length):
        for j in range(i + 1):
            bias = block.by_place[i - j]
            if gaps is not None and block.by_time is not None:
                bias = bias + block.by_time[gaps[i, j]]
            for head in range(block.heads):
                mine = slice(head * size, (head + 1) * size)
                h[i, mine] += F.silu(q[i, mine] @ k[j, mine] + bias) * v[j, mine] / block.window
    h = F.layer_norm(h, (width,), block.norm_out.weight, block.norm_out.bias, eps=1e-6)
    return x + (u * h) @ block.out.weight.T + block.out.bias


@pytest.mark.parametrize("buckets", [0, 5])
def test_it_is_its_definition(buckets: int) -> None:
    torch.manual_seed(0)
    block = PointwiseBlock(8, 2, 7, buckets, 0.3).double().eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter))
    x = torch.randn(2, 6, 8).double()
    gaps = torch.randint(0, 5, (2, 6, 6)) if buckets else None
    found = block(x, gaps)
    for row in range(2):
        torch.testing.assert_close(found[row], by_hand(block, x[row], None if gaps is None else gaps[row]))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 80))
def test_a_bucket_is_the_logarithm_of_the_time_between(one: int, other: int, buckets: int) -> None:
    found = int(time_buckets(torch.tensor([[one]]), torch.tensor([[other]]), buckets))
    assert found == min(buckets - 1, int(math.log(max(1, one - other)) / BUCKET))


def test_times_are_compared_from_the_asked_to_the_event() -> None:
    gaps = time_buckets(torch.tensor([[10, 100]]), torch.tensor([[0, 10]]), 64)[0]
    assert gaps[1, 0] == int(math.log(100) / BUCKET) and gaps[1, 1] == int(math.log(90) / BUCKET)
    assert gaps[0, 1] == 0  # the future has no time between


def test_heads_must_divide() -> None:
    with pytest.raises(ConfigError, match="does not divide"):
        PointwiseBlock(9, 2, 5, 3, 0.0)
