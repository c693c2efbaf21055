"""LRURec: what its blocks are tested for, put together; a memory of constant size; a bias an item."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.models.lru import LRURec


def made(**settings: object) -> LRURec:
    torch.manual_seed(0)
    model = LRURec(decode(LRURec.Config, {"width": 8, **settings}, where="model"), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_a_stack_of_blocks_between_the_tied_table(norm: str) -> None:
    model, codes = made(norm=norm), [3, 1, 4, 1, 5, 9, 2, 6]
    events = Events.of([codes])
    x = F.layer_norm(model.table.weight[codes], (8,), model.table.norm.weight, model.table.norm.bias)[None]
    for block in model.blocks:
        x, _ = block(x, events, block.fresh(1))
    if norm == "pre":
        x = F.layer_norm(x, (8,), model.norm.weight, model.norm.bias)
    hidden, state, _ = model(events, model.fresh(1))
    torch.testing.assert_close(hidden, x)
    torch.testing.assert_close(model.score(state)[:, 1:], x[:, -1] @ model.table.weight[1:].T + model.bias[1:])


def test_without_the_bias_an_items_score_is_its_product() -> None:
    model = made(item_bias=False)
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)
    assert "bias" not in model.tensors()


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    wanted = model.table.weight[1:] @ model.start + model.bias[1:]
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], wanted)


def test_the_memory_is_of_constant_size() -> None:
    model = made()
    state = model.fresh(1)
    size = state.bytes_per_user
    for length in (1, 10, 500):
        state = model.advance(state, Events.of([[1 + n % 11 for n in range(length)]]))
        assert state.bytes_per_user == size
    # per block 16 complex channels, and one hidden vector of 8
    assert size == 4 * (2 * 2 * 16 + 8)


def test_it_remembers_the_first_event_after_many() -> None:
    model = made(radius=[0.99, 0.995])
    tail = [2, 3] * 100
    scores = model.score(model.advance(model.fresh(2), Events.of([[1, *tail], [9, *tail]])))
    assert (scores[0, 1:] - scores[1, 1:]).abs().max() > 1e-6


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    targets = torch.randint(1, 12, hidden.shape[:2])
    scores = hidden @ model.table.weight.T + model.bias
    loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten())
    (loss + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
