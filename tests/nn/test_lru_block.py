"""The LRU block against its formula, in both places of the norm."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from recollect.contracts import Events
from recollect.nn.lru_block import LRUBlock


def made(norm: Literal["pre", "post"] = "post") -> LRUBlock:
    torch.manual_seed(0)
    return LRUBlock(6, channels=8, factor=5 / 3, radius=(0.8, 0.99), dropout=0.5, norm=norm)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block(norm: Literal["pre", "post"]) -> None:
    block = made(norm).double().eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    events, state = Events(torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 5])), block.fresh(2)

    if norm == "pre":
        y, after = block.lru(block.norm_lru(x), events, state)
        middle = x + y
        wanted = middle + block.feedforward(block.norm_feedforward(middle))
    else:
        y, after = block.lru(x, events, state)
        middle = block.norm_lru(x + y)
        wanted = block.norm_feedforward(middle + block.feedforward(middle))
    found, memory = block(x, events, state)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(memory["memory"], after["memory"])


def test_it_starts_near_the_identity() -> None:
    block, x = made("pre").eval(), torch.randn(4, 9, 6)
    y, _ = block(x, Events(torch.ones(4, 9, dtype=torch.int64), torch.full((4,), 9)), block.fresh(4))
    assert (y - x).norm() < 0.05 * x.norm()


def test_dropout_only_in_training() -> None:
    block, x = made(), torch.randn(2, 5, 6)
    events = Events(torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 5]))
    one, two = (block.train()(x, events, block.fresh(2))[0] for _ in range(2))
    assert not torch.equal(one, two)
    one, two = (block.eval()(x, events, block.fresh(2))[0] for _ in range(2))
    assert torch.equal(one, two)
