"""A stack of blocks with states is the blocks one after the other, each with its own part of the state."""

from __future__ import annotations

import torch

from recollect.contracts import Events
from recollect.nn.mlstm_block import MLSTMBlock, MLSTMSettings
from recollect.nn.slstm_block import SLSTMBlock, SLSTMSettings
from recollect.nn.stack import Stack


def test_it_is_its_blocks_in_turn() -> None:
    torch.manual_seed(0)
    blocks = [MLSTMBlock(8, MLSTMSettings(heads=2), 0.0), SLSTMBlock(8, SLSTMSettings(heads=2), 0.0)]
    stack, events, x = Stack(blocks).eval(), Events.of([[1, 2, 3], [4]]), torch.randn(2, 3, 8)
    found, after = stack(x, events, stack.fresh(2))
    for depth, block in enumerate(blocks):
        x, alone = block(x, events, block.fresh(2))
        assert {name: tensor.shape for name, tensor in after.part(str(depth)).items()} == {
            name: tensor.shape for name, tensor in alone.items()
        }
        assert all(torch.equal(after[f"{depth}.{name}"], alone[name]) for name in alone)
    torch.testing.assert_close(found, x)
