"""Asked as trained: with a repeat head, and with a clock, the loss's logits are the scores of the same request."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recollect import registry
from recollect.config import decode
from recollect.contracts import Catalog, Events, Network, Window
from recollect.data.batches import Step, build
from recollect.data.histories import Ragged
from recollect.data.requests import Requests
from recollect.losses.choice import LossSettings
from recollect.train.known import Known
from recollect.train.objective import Objective

from .material import SMALL

ROWS = [[3, 1, 4, 1, 5, 9, 2, 6, 5], [2, 7], [8, 8, 1, 8, 2]]
LAST = 4
"""Over how many events the heads look: fewer than the longest history has."""


def histories() -> Ragged:
    flat = np.array([code for row in ROWS for code in row], dtype=np.int64)
    return Ragged(flat, np.arange(len(flat)) * 1800, np.cumsum([0, *map(len, ROWS)]))


def network(name: str, **more: object) -> Network:
    kind = registry.model_class(name)
    torch.manual_seed(0)
    chosen = SMALL[name] | ({"contrastive": 0.0} if name == "xlstm-lsr" else {}) | {"repeat": LAST} | more
    model = kind(decode(kind.Config, chosen, where="model"), Catalog(12))  # type: ignore[call-arg]
    assert isinstance(model, Network) and model.met_events == LAST
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def by_asking(model: Network, *, at: bool, clock: bool = True) -> torch.Tensor:
    """The mean cross-entropy of asking before every event, by the three verbs."""
    log, losses = histories(), []
    requests = Requests(model, log.items, log.times if clock else None, log.offsets)
    for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True):
        for place in range(start, end):
            items, times = log.items[start:place].tolist(), log.times[start:place].tolist()
            state = model.advance(model.fresh(1), Events.of([items], [times] if clock else None))
            request = requests.of(np.array([start]), np.array([place]), log.times[place : place + 1] if at else None)
            target = torch.tensor([int(log.items[place])])
            losses.append(F.cross_entropy(model.score(state, request), target))
    return torch.stack(losses).mean()


def by_training(model: Network, *, clock: bool = True) -> torch.Tensor:
    log = histories()
    lengths = log.lengths
    step = Step(0, np.arange(3), np.zeros(3, int), lengths, int(lengths.max()), True, True, np.ones(3, bool))
    events, targets, _ = build(log, step)
    known = Known.of(model, log, LossSettings(), clock=clock).of_step(step, targets)
    batch = {"items": events.items, "lengths": events.lengths, "times": events.times if clock else None}
    loss, _, _ = Objective(model, LossSettings())({**batch, "targets": targets, **known}, None)
    return loss


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "mlstm4rec", "xlstm-lsr"])
@pytest.mark.parametrize("clock", [True, False])
def test_the_loss_is_that_of_asking_with_what_was_met(name: str, clock: bool) -> None:
    model = network(name)
    loss = by_training(model, clock=clock)
    torch.testing.assert_close(loss, by_asking(model, at=False, clock=clock), rtol=1e-4, atol=1e-5)
    loss.backward()
    assert model.repeat is not None
    for parameter in model.repeat.parameters():  # type: ignore[attr-defined]
        assert parameter.grad is not None and parameter.grad.any()


def test_a_model_that_is_told_the_time_counts_age_up_to_it() -> None:
    model = network("sasrec")
    model.request_time = True
    assert isinstance(model, Window)
    torch.testing.assert_close(by_training(model), by_asking(model, at=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mlstm4rec", "xlstm-lsr"])
@pytest.mark.parametrize("at", [True, False])
def test_with_every_switch_of_time_too(name: str, at: bool) -> None:
    model = network(name, time={"gaps": True, "stream": True, "request": at})
    assert model.request_time is at and model.needs_clock
    loss = by_training(model)
    torch.testing.assert_close(loss, by_asking(model, at=at), rtol=1e-4, atol=1e-5)
    loss.backward()
    for part, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), part


def test_a_short_look_back_and_a_whole_one_differ() -> None:
    near, far = network("gru4rec"), network("gru4rec")
    assert far.repeat is not None
    far.repeat.events = LAST + 20
    assert not torch.equal(by_asking(near, at=False), by_asking(far, at=False))
