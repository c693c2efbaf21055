"""The head norm is torch's group norm of one token, and knows of no other token."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recollect.nn.norm import HeadNorm


def test_it_is_a_group_norm_of_each_token() -> None:
    torch.manual_seed(0)
    norm = HeadNorm(3, 4).double()
    torch.nn.init.normal_(norm.gain)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    wanted = F.group_norm(x.reshape(10, 12), 3, norm.gain, torch.zeros(12).double(), norm.eps).reshape(2, 5, 12)
    torch.testing.assert_close(norm(x), wanted)
    assert torch.equal(norm(x)[:, 2:3], norm(x[:, 2:3]))


def test_a_constant_head_gives_zero() -> None:
    assert torch.equal(HeadNorm(2, 3)(torch.full((1, 2, 3), 5.0)), torch.zeros(1, 6))
