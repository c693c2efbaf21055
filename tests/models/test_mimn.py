"""MIMN: what its memory is tested for, between the tied table; a loss on uneven slots; a memory of constant size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from recollect.contracts import Catalog, Events, HasOwnLoss
from recollect.models.mimn import MIMN

EVENTS = Events.of([[3, 1, 4, 1, 5, 9, 2, 6], [5, 3], []])


def made(**settings: Any) -> MIMN:
    torch.manual_seed(0)
    model = MIMN(MIMN.Config(**{"width": 6, "hidden": 8, **settings}), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("channels", [0, 1, 3])
def test_scores_come_from_the_memory_between_the_tied_table(channels: int) -> None:
    model = made(channels=channels)
    table = model.item_vectors()
    x = F.layer_norm(table[EVENTS.codes], (6,), model.table.norm.weight, model.table.norm.bias)
    known, _ = model.memory(x, EVENTS, model.memory.fresh(3))
    wanted = model.out(known) @ table[1:].T
    scores = model.score(model.advance(model.fresh(3), EVENTS))[:, 1:]
    torch.testing.assert_close(scores[0], wanted[0, 7])
    torch.testing.assert_close(scores[1], wanted[1, 1])
    torch.testing.assert_close(scores[2], table[1:] @ model.start)


def test_the_memory_is_of_constant_size() -> None:
    model = made(slots=5)
    state = model.fresh(1)
    size = state.bytes_per_user
    for length in (1, 10, 300):
        state = model.advance(state, Events.of([[1 + n % 11 for n in range(length)]]))
        assert state.bytes_per_user == size
    # slots and channels 5x6 each, the read vector 6, the controller 8, usage 5, a count of events, one hidden vector 6
    assert size == 4 * (2 * 5 * 6 + 6 + 8 + 5 + 6) + 8


def test_the_loss_is_on_uneven_use() -> None:
    """Nothing for slots used alike, slots - 1 for one slot that takes all, whatever users without events hold."""
    model = made(slots=4, utilisation=0.5)
    assert isinstance(model, HasOwnLoss)
    even, one, rubbish = torch.full((4,), 0.25), torch.tensor([0.0, 1.0, 0.0, 0.0]), torch.full((4,), torch.nan)
    for usage, wanted in (([even, even], 0.0), ([one, one], 3.0), ([even, one], 1.5)):
        loss, figures = model.own_loss(torch.zeros(3, 8, 6), {"usage": torch.stack([*usage, rubbish])}, EVENTS.mask)
        torch.testing.assert_close(loss, torch.tensor(0.5 * wanted))
        torch.testing.assert_close(figures["uneven"], torch.tensor(wanted))


def test_the_loss_reaches_the_write_weights_and_can_be_left_out() -> None:
    model = made().train()
    hidden, _, aux = model(EVENTS, model.fresh(3))
    loss, _ = model.own_loss(hidden, aux, EVENTS.mask)
    loss.backward()
    assert loss > 0 and (model.memory.transfer.grad != 0).any()
    nobody = Events.of([[], [], []], width=8)
    for quiet, mask in (
        (made(utilisation=0), EVENTS.mask),
        (made(rebalance="none"), EVENTS.mask),
        (model, nobody.mask),
    ):
        assert quiet.own_loss(hidden, aux, mask) == (0, {})


def test_a_step_down_the_loss_evens_the_slots_out() -> None:
    model = made(utilisation=1.0)
    batch = Events.of([[1 + n * n % 11 for n in range(40)]] * 2)
    rate, losses = 1.0, []
    for _ in range(4):
        hidden, _, aux = model(batch, model.fresh(2))
        loss, _ = model.own_loss(hidden, aux, batch.mask)
        losses.append(float(loss.detach()))
        (slope,) = torch.autograd.grad(loss, model.memory.transfer)
        with torch.no_grad():
            model.memory.transfer.sub_(rate * slope)
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_every_parameter_learns() -> None:
    model = made().train()
    hidden, _, _ = model(EVENTS, model.fresh(3))
    (hidden[EVENTS.mask].pow(3).sum() + model.score(model.fresh(1))[0, 1:].sum()).backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
