"""sLSTM4Rec: its blocks between the tied table; a memory of constant size, much smaller than a matrix memory's."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recollect.contracts import Catalog, Events
from recollect.models.slstm4rec import SLSTM4Rec
from recollect.nn.slstm_block import SLSTMSettings


def made(blocks: int = 2) -> SLSTM4Rec:
    torch.manual_seed(0)
    config = SLSTM4Rec.Config(width=8, blocks=blocks, slstm=SLSTMSettings(heads=2))
    model = SLSTM4Rec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_it_is_a_stack_of_blocks_between_the_tied_table() -> None:
    model, codes = made(), [3, 1, 4, 1, 5, 9, 2, 6]
    x = F.layer_norm(model.table.weight[codes], (8,), model.table.norm.weight, model.table.norm.bias)[None]
    for block in model.blocks:
        x = block.encode(x, torch.ones(1, 8, dtype=torch.bool))
    wanted = F.layer_norm(x, (8,), model.norm.weight, model.norm.bias) @ model.table.weight[1:].T
    hidden, state, _ = model(Events.of([codes]), model.fresh(1))
    torch.testing.assert_close(hidden @ model.table.weight[1:].T, wanted)
    torch.testing.assert_close(model.score(state)[:, 1:], wanted[:, -1])


def test_the_memory_is_of_constant_size() -> None:
    model = made(blocks=1)
    state = model.fresh(1)
    for length in (1, 10, 200):
        state = model.advance(state, Events.of([[1 + n % 11 for n in range(length)]]))
        # c, n, h, m of 8 cells; 3 inputs of 8 channels; one hidden vector of 8
        assert state.bytes_per_user == 4 * (4 * 8 + 3 * 8 + 8)


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.square().sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
