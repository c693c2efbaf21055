"""Mamba4Rec: its published formula around the mixer, a memory of constant size, a start that is learned."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.models.mamba4rec import Mamba4Rec


def made(**settings: object) -> Mamba4Rec:
    torch.manual_seed(0)
    config = decode(Mamba4Rec.Config, {"width": 8, "mamba": {"d_state": 4}, **settings}, where="model")
    model = Mamba4Rec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    "blocks, residual, added", [(1, "always", 1.0), (1, "stacked", 0.0), (2, "always", 1.0), (2, "stacked", 1.0)]
)
def test_it_is_the_published_formula(blocks: int, residual: str, added: float) -> None:
    model, codes = made(blocks=blocks, residual=residual), [3, 1, 4, 1, 5, 9, 2, 6]
    events = Events.of([codes])
    x = F.layer_norm(model.table.weight[codes], (8,), model.norm.weight, model.norm.bias)[None]
    for layer in model.blocks:
        mixed, _ = layer.mixer(x, events, layer.mixer.fresh(1))
        mid = F.layer_norm(mixed + added * x, (8,), layer.norm_mixer.weight, layer.norm_mixer.bias)
        up, down = layer.feedforward.up, layer.feedforward.down
        inner = F.gelu(mid @ up.weight.T + up.bias) @ down.weight.T + down.bias
        x = F.layer_norm(mid + inner, (8,), layer.norm_feedforward.weight, layer.norm_feedforward.bias)
    hidden, state, _ = model(events, model.fresh(1))
    torch.testing.assert_close(hidden, x)
    torch.testing.assert_close(model.score(state)[:, 1:], x[:, -1] @ model.table.weight[1:].T)


def test_the_memory_is_of_constant_size() -> None:
    model = made(blocks=2)
    state = model.fresh(1)
    size = state.bytes_per_user
    for length in (1, 10, 500):
        state = model.advance(state, Events.of([[1 + n % 11 for n in range(length)]]))
        assert state.bytes_per_user == size
    # per block: 16 channels of 4 states, and 3 inputs of 16 channels; and one hidden vector of 8
    assert size == 4 * (2 * (16 * 4 + 3 * 16) + 8)


def test_it_remembers_the_first_event_after_many() -> None:
    model = made()
    tail = [2, 3] * 10
    scores = model.score(model.advance(model.fresh(2), Events.of([[1, *tail], [9, *tail]])))
    assert (scores[0, 1:] - scores[1, 1:]).abs().max() > 1e-6


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)


def test_every_parameter_learns() -> None:
    model = made(blocks=2).train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.pow(3).sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
