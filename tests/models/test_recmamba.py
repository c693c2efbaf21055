"""RecMamba: SASRec's block with a mixer in the place of attention, both places of the norm against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.models.recmamba import RecMamba
from recollect.models.sasrec import SASRec


def made(**settings: object) -> RecMamba:
    torch.manual_seed(0)
    config = decode(RecMamba.Config, {"width": 8, "blocks": 2, "mamba": {"d_state": 4}, **settings}, where="model")
    model = RecMamba(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_a_transformer_with_mixers(norm: str) -> None:
    model, codes = made(norm=norm), [3, 1, 4, 1, 5, 9, 2, 6]
    events = Events.of([codes])
    x = model.table.weight[codes][None] * 8**0.5
    for block in model.blocks:

        def mixer(y: torch.Tensor, block: torch.nn.Module = block) -> torch.Tensor:
            return block.mixer(y, events, block.mixer.fresh(1))[0]  # type: ignore[operator, union-attr]

        if norm == "pre":
            x = x + mixer(block.norm_mixer(x))
            x = x + block.feedforward(block.norm_feedforward(x))
        else:
            x = block.norm_mixer(x + mixer(x))
            x = block.norm_feedforward(x + block.feedforward(x))
    wanted = F.layer_norm(x, (8,), model.norm.weight, model.norm.bias)
    hidden, state, _ = model(events, model.fresh(1))
    torch.testing.assert_close(hidden, wanted)
    torch.testing.assert_close(model.score(state)[:, 1:], wanted[:, -1] @ model.table.weight[1:].T)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_but_for_the_mixer_it_is_sasrecs_block(norm: str) -> None:
    """A mixer and an attention that both give nothing leave the same function behind."""
    ours = made(norm=norm, blocks=1)
    theirs = SASRec(decode(SASRec.Config, {"width": 8, "blocks": 1, "norm": norm}, where="model"), Catalog(12)).eval()
    block, other = ours.blocks[0], theirs.blocks[0]
    with torch.no_grad():
        block.mixer.down.weight.zero_()
        for parameter in other.attention.parameters():
            parameter.zero_()
        for name in ("weight", "bias"):
            getattr(other.norm_attention, name).copy_(getattr(block.norm_mixer, name))
            getattr(other.norm_feedforward, name).copy_(getattr(block.norm_feedforward, name))
            getattr(other.feedforward.up, name).copy_(getattr(block.feedforward.up, name))
            getattr(other.feedforward.down, name).copy_(getattr(block.feedforward.down, name))
    x, events = torch.randn(2, 5, 8), Events.of([[1] * 5] * 2)
    torch.testing.assert_close(block(x, events, block.fresh(2))[0], other(x))


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.start)


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _, _ = model(Events.of([[1, 2, 3, 4, 5, 6], [4, 4]]), model.fresh(2))
    (hidden.pow(3).sum() + model.score(model.fresh(1))[0, 1:].square().sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
