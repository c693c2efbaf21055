"""Causal attention against torch.nn.MultiheadAttention, and both places of the norm against their formulas."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from recollect.nn.attention import AttentionBlock, SelfAttention


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_torchs_multihead_attention_with_a_causal_mask(heads: int) -> None:
    torch.manual_seed(heads)
    ours = SelfAttention(8, heads, 0.3).double().eval()
    theirs = nn.MultiheadAttention(8, heads, batch_first=True).double().eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight), theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.weight.copy_(ours.out.weight), theirs.out_proj.bias.copy_(ours.out.bias)
    x = torch.randn(3, 7, 8, dtype=torch.float64)
    future = torch.ones(7, 7, dtype=torch.bool).triu(1)
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=future, need_weights=False)[0])


def test_a_later_event_changes_no_earlier_one() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(8, 2, 0.0).eval(), torch.randn(2, 6, 8)
    changed = x.clone()
    changed[:, 4:] = 7
    before, after = attention(x), attention(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block(norm: Literal["pre", "post"]) -> None:
    torch.manual_seed(1)
    block = AttentionBlock(8, 2, 0.5, 0.5, factor=1.5, norm=norm).double().eval()
    x = torch.randn(2, 5, 8, dtype=torch.float64)

    if norm == "pre":
        middle = x + block.attention(block.norm_attention(x))
        wanted = middle + block.feedforward(block.norm_feedforward(middle))
    else:
        middle = block.norm_attention(x + block.attention(x))
        wanted = block.norm_feedforward(middle + block.feedforward(middle))
    torch.testing.assert_close(block(x), wanted)


@pytest.mark.parametrize("heads", [1, 4])
def test_both_ways_it_is_torchs_attention_with_padded_keys(heads: int) -> None:
    torch.manual_seed(0)
    ours = SelfAttention(8, heads, 0.3, causal=False).double().eval()
    oracle = nn.MultiheadAttention(8, heads, batch_first=True).double().eval()
    oracle.in_proj_weight.data.copy_(ours.qkv.weight)
    oracle.in_proj_bias.data.copy_(ours.qkv.bias)
    oracle.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(3, 6, 8, dtype=torch.float64)
    real = torch.arange(6) < torch.tensor([[6], [2], [5]])
    wanted, _ = oracle(x, x, x, key_padding_mask=~real)
    torch.testing.assert_close(ours(x, real)[real], wanted[real])


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        SelfAttention(10, 3, 0.0)
