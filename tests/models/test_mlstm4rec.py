"""mLSTM4Rec: what its blocks are tested for, put together; a memory of constant size; a start that is learned."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recollect.contracts import Catalog, Events
from recollect.models.mlstm4rec import MLSTM4Rec
from recollect.nn.mlstm_block import MLSTMSettings


def made() -> MLSTM4Rec:
    torch.manual_seed(0)
    model = MLSTM4Rec(MLSTM4Rec.Config(width=8, mlstm=MLSTMSettings(heads=2, chunk=4)), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_it_is_a_stack_of_blocks_between_the_tied_table() -> None:
    model, codes = made(), [3, 1, 4, 1, 5, 9, 2, 6]
    events = Events.of([codes])
    x = F.layer_norm(model.table.weight[codes], (8,), model.table.norm.weight, model.table.norm.bias)[None]
    for block in model.blocks:
        x, _ = block(x, events, block.fresh(1))
    wanted = F.layer_norm(x, (8,), model.norm.weight, model.norm.bias) @ model.table.weight[1:].T
    hidden, state, _ = model(events, model.fresh(1))
    torch.testing.assert_close(hidden @ model.table.weight[1:].T, wanted)
    torch.testing.assert_close(model.score(state)[:, 1:], wanted[:, -1])


def test_the_memory_is_of_constant_size() -> None:
    model = made()
    state = model.fresh(1)
    size = state.bytes_per_user
    for length in (1, 10, 500):
        state = model.advance(state, Events.of([[1 + n % 11 for n in range(length)]]))
        assert state.bytes_per_user == size
    # per block: C 8x8, n 8, m for 2 heads; 3 inputs of 16 channels; and one hidden vector of 8
    assert size == 4 * (2 * (2 * (64 + 8 + 1) + 3 * 16) + 8)


def test_it_remembers_the_first_event_after_many() -> None:
    """Two histories that differ in their first event only score differently 200 events later."""
    model = made()
    tail = [2, 3] * 100
    scores = model.score(model.advance(model.fresh(2), Events.of([[1, *tail], [9, *tail]])))
    assert (scores[0, 1:] - scores[1, 1:]).abs().max() > 1e-6


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.square().sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
