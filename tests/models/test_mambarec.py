"""MambaRec*: mixers and nothing else; with norm and residual, or bare as published."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.models.mambarec import MambaRec


def made(**settings: object) -> MambaRec:
    torch.manual_seed(0)
    config = decode(MambaRec.Config, {"width": 8, "blocks": 2, "mamba": {"d_state": 4}, **settings}, where="model")
    model = MambaRec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("block", ["residual", "bare"])
def test_it_is_a_stack_of_mixers(block: str) -> None:
    model, codes = made(block=block), [3, 1, 4, 1, 5, 9, 2, 6]
    events = Events.of([codes])
    x = model.table.weight[codes][None] * 8**0.5
    for depth, mixer in enumerate(model.mixers):
        if block == "bare":
            norm = model.norms[0]
            x = mixer(F.layer_norm(x, (8,), norm.weight, norm.bias) if depth else x, events, mixer.fresh(1))[0]
        else:
            norm = model.norms[depth]
            x = x + mixer(F.layer_norm(x, (8,), norm.weight, norm.bias), events, mixer.fresh(1))[0]
    wanted = x if block == "bare" else F.layer_norm(x, (8,), model.norms[-1].weight, model.norms[-1].bias)
    hidden, state, _ = model(events, model.fresh(1))
    torch.testing.assert_close(hidden, wanted)
    torch.testing.assert_close(model.score(state)[:, 1:], wanted[:, -1] @ model.table.weight[1:].T)


def test_one_bare_mixer_has_nothing_around_it() -> None:
    names = {name.partition(".")[0] for name, _ in made(block="bare", blocks=1).named_parameters()}
    assert names == {"table", "mixers", "start"}


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)


@pytest.mark.parametrize("block", ["residual", "bare"])
def test_every_parameter_learns(block: str) -> None:
    model = made(block=block).train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.pow(3).sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
