"""eSASRec: LiGR blocks between the tied table; its window as SASRec's; the sampled softmax it was published with."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recollect.config import decode
from recollect.contracts import Catalog, Events
from recollect.losses.choice import LossSettings
from recollect.models.esasrec import ESASRec
from recollect.train.objective import Objective


def made(**settings: object) -> ESASRec:
    torch.manual_seed(0)
    config = decode(ESASRec.Config, {"width": 8, "window": 5, **settings}, where="model")
    model = ESASRec(config, Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.table.weight[0] = 0
    return model


@pytest.mark.parametrize("final_norm", [True, False])
def test_it_is_a_stack_of_blocks_over_items_and_slots(final_norm: bool) -> None:
    model, codes = made(final_norm=final_norm), torch.tensor([[3, 1, 4, 1]])
    x = model.table.weight[codes] * 8**0.5 + model.positions[:4]
    for block in model.blocks:
        x = block(x)
    if final_norm:
        x = F.layer_norm(x, (8,), model.norm.weight, model.norm.bias)
    torch.testing.assert_close(model.encode(Events.of(codes.tolist()))[0], x)


def test_only_the_window_counts_and_its_first_event_is_slot_zero() -> None:
    model = made()
    score = model.score(model.advance(model.fresh(1), Events.of([[7, 8, 9, 1, 2, 3, 4, 5]])))
    hidden, _ = model.encode(Events.of([[1, 2, 3, 4, 5]]))
    torch.testing.assert_close(score[:, 1:], hidden[:, -1] @ model.table.weight[1:].T)


def test_an_empty_history_scores_by_the_learned_start() -> None:
    model = made()
    torch.testing.assert_close(model.score(model.fresh(1))[0, 1:], model.table.weight[1:] @ model.empty)


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_every_parameter_learns_from_either_softmax(kind: str) -> None:
    model = made().train()
    events = Events.of([list(range(1, 7)), [4, 4]])
    batch = {"items": events.items, "lengths": events.lengths, "times": events.items, "targets": events.mask}
    Objective(model, decode(LossSettings, {"kind": kind}, where="loss"))(batch, None)[0].backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
