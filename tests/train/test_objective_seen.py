"""Asked as trained: where seen items will be hidden, the loss is the one over the candidates that are left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recollect.contracts import Carried, Events, Network
from recollect.data.batches import Step
from recollect.data.first_meetings import FirstMeetings
from recollect.data.histories import Ragged
from recollect.losses.choice import LossSettings
from recollect.models.bert4rec import BERT4Rec
from recollect.train.objective import Objective

from .test_objective import HISTORIES, ONWARD, batch, network

LENGTHS = np.array([len(codes) for codes in HISTORIES])


def met(first: int = 0, last: int = 9) -> dict[str, torch.Tensor]:
    """What `HISTORIES` have met before the cells of one segment of them all."""
    flat = np.array([code for codes in HISTORIES for code in codes])
    histories = Ragged(flat, np.zeros_like(flat), np.cumsum([0, *LENGTHS]))
    firsts = np.full(3, first)
    step = Step(0, np.arange(3), firsts, np.clip(LENGTHS, firsts, last), last - first, True, True, np.ones(3, bool))
    return FirstMeetings.of(histories).of_step(step)


def asked(model: Network, before: list[int], target: int, seen: list[int]) -> torch.Tensor:
    """The cross-entropy of one target where the items seen are hidden, by the three verbs."""
    scores = model.score(model.advance(model.fresh(1), Events.of([before])))
    hidden = [code for code in seen if code != target]
    scores[:, hidden] = -torch.inf
    return F.cross_entropy(scores, torch.tensor([target]))


@pytest.mark.parametrize("name", ONWARD)
def test_items_met_before_are_no_candidates(name: str) -> None:
    model = network(name)
    loss, _, _ = Objective(model, LossSettings(seen="hidden"))(batch(Events.of(HISTORIES)) | met(), None)
    wanted = [asked(model, codes[:t], codes[t], codes[:t]) for codes in HISTORIES for t in range(len(codes))]
    torch.testing.assert_close(loss, torch.stack(wanted).mean(), rtol=1e-4, atol=1e-5)


def test_what_was_met_in_an_earlier_segment_counts() -> None:
    model = network("mlstm4rec")
    assert isinstance(model, Carried)
    events, objective, total, carried = Events.of(HISTORIES), Objective(model, LossSettings(seen="hidden")), 0.0, None
    for start, stop in ((0, 2), (2, 3), (3, 9)):
        part = events.span(start, stop)
        loss, _, carried = objective(batch(part) | met(start, stop), carried)
        total += float(loss.detach()) * int(part.mask.sum())
    whole = objective(batch(events) | met(), None)[0]
    torch.testing.assert_close(total / int(events.mask.sum()), float(whole.detach()), rtol=1e-4, atol=1e-5)


def test_a_window_that_looks_both_ways_leaves_out_what_its_end_will() -> None:
    model, events = network("bilstm4rec"), Events.of(HISTORIES)
    ends = torch.arange(9) == events.lengths[:, None] - 1
    loss, _, _ = Objective(model, LossSettings(seen="hidden"))(batch(events, ends) | met(), None)
    wanted = [asked(model, codes[:-1], codes[-1], codes[:-1]) for codes in HISTORIES]
    torch.testing.assert_close(loss, torch.stack(wanted).mean(), rtol=1e-4, atol=1e-5)


def test_cloze_leaves_out_all_that_the_user_has() -> None:
    model = network("bert4rec")
    assert isinstance(model, BERT4Rec)
    events = Events.of(HISTORIES)
    last = torch.arange(9) == events.lengths[:, None] - 1
    model.conceal = lambda mask: last  # type: ignore[method-assign]
    loss, _, _ = Objective(model, LossSettings(seen="hidden"))(batch(events) | met(), None)
    wanted = [asked(model, codes[:-1], codes[-1], codes) for codes in HISTORIES]
    torch.testing.assert_close(loss, torch.stack(wanted).mean(), rtol=1e-4, atol=1e-5)


def test_auto_is_what_validation_asks() -> None:
    assert LossSettings().asked("hidden").seen == "hidden" == LossSettings(seen="hidden").asked("allowed").seen
    assert LossSettings().asked("allowed").seen == "allowed" == LossSettings(seen="allowed").asked("hidden").seen
