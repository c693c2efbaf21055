"""The LiGR block against torch.nn.functional, its gates included."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.nn.ligr import LiGRBlock


def made(heads: int = 2) -> LiGRBlock:
    torch.manual_seed(heads)
    return LiGRBlock(8, heads, dropout=0.5, attention_dropout=0.5, factor=1.5).double().eval()


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_two_gated_branches(heads: int) -> None:
    block, x = made(heads), torch.randn(3, 7, 8, dtype=torch.float64)
    attention = block.attention
    normed = F.layer_norm(x, (8,), block.norm_attention.weight, block.norm_attention.bias)
    q, k, v = (normed @ attention.qkv.weight.T + attention.qkv.bias).chunk(3, dim=-1)
    parts = []
    for head in range(heads):
        own = slice(head * 8 // heads, (head + 1) * 8 // heads)
        odds = q[..., own] @ k[..., own].mT / (8 / heads) ** 0.5
        odds = odds.masked_fill(torch.ones(7, 7, dtype=torch.bool).triu(1), -torch.inf)
        parts.append(F.softmax(odds, dim=-1) @ v[..., own])
    branch = torch.cat(parts, dim=-1) @ attention.out.weight.T + attention.out.bias
    x_ = x + torch.sigmoid(x @ block.gate_attention.weight.T + block.gate_attention.bias) * branch
    normed = F.layer_norm(x_, (8,), block.norm_feedforward.weight, block.norm_feedforward.bias)
    gate, value = normed @ block.up.weight[:12].T, normed @ block.up.weight[12:].T
    branch = (gate * torch.sigmoid(gate) * value) @ block.down.weight.T
    wanted = x_ + torch.sigmoid(x_ @ block.gate_feedforward.weight.T + block.gate_feedforward.bias) * branch
    torch.testing.assert_close(block(x), wanted)


def test_closed_gates_leave_the_stream_as_it_is() -> None:
    block, x = made(), torch.randn(2, 5, 8, dtype=torch.float64)
    with torch.no_grad():
        for gate in (block.gate_attention, block.gate_feedforward):
            gate.weight.zero_()
            gate.bias.fill_(-1e3)
    assert torch.equal(block(x), x)


def test_dropout_only_in_training() -> None:
    block, x = made(), torch.randn(2, 5, 8, dtype=torch.float64)
    assert not torch.equal(block.train()(x), block(x))
    assert torch.equal(block.eval()(x), block(x))
