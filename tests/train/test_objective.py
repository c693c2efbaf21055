"""The objective: a target is scored by the hidden vector before it, whatever is padded, across segments too."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recollect import registry
from recollect.config import decode
from recollect.contracts import Carried, Catalog, Events, Network, Request, Window
from recollect.losses.choice import LossSettings
from recollect.models.bert4rec import BERT4Rec
from recollect.models.hstu import HSTU
from recollect.train.objective import Objective

from .material import SMALL

HISTORIES = [[3, 1, 4, 1, 5, 9, 2, 6, 5], [2, 7], [8, 8, 1, 8, 2]]
ONWARD = [name for name in SMALL if getattr(registry.model_class(name), "causal", True)]
"""The networks that are asked at every position."""


def network(name: str) -> Network:
    kind = registry.model_class(name)
    torch.manual_seed(0)
    chosen = SMALL[name] | ({"contrastive": 0.0} if name == "xlstm-lsr" else {})
    model = kind(decode(kind.Config, chosen, where="model"), Catalog(12))  # type: ignore[call-arg]
    assert isinstance(model, Network)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def batch(events: Events, targets: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    mask = events.mask if targets is None else targets
    return {"items": events.items, "lengths": events.lengths, "times": torch.zeros_like(events.items), "targets": mask}


def by_hand(model: Network, histories: list[list[int]]) -> float:
    """Ask the model before every event, by its verbs, and take the mean cross-entropy."""
    losses = []
    for codes in histories:
        for t, target in enumerate(codes):
            scores = model.score(model.advance(model.fresh(1), Events.of([codes[:t]])))
            losses.append(F.cross_entropy(scores, torch.tensor([target])))
    return torch.stack(losses).mean().item()


def test_the_loss_is_that_of_asking_before_every_event() -> None:
    for name in ONWARD:
        model = network(name)
        loss, figures, _ = Objective(model, LossSettings())(batch(Events.of(HISTORIES)), None)
        torch.testing.assert_close(loss.item(), by_hand(model, HISTORIES), rtol=1e-4, atol=1e-5)
        assert figures["loss"].item() == loss.item() and not figures["loss"].requires_grad


def test_padding_changes_nothing() -> None:
    for name in ONWARD:
        objective = Objective(network(name), LossSettings())
        plain = objective(batch(Events.of(HISTORIES)), None)[0]
        wide = Events.of(HISTORIES, width=10)
        dirty = Events(torch.where(wide.mask, wide.items, 11), wide.lengths)
        torch.testing.assert_close(objective(batch(dirty), None)[0], plain, rtol=1e-4, atol=1e-5)


def test_segments_with_the_state_carried_are_one_whole() -> None:
    events = Events.of(HISTORIES)
    for name in ONWARD:
        model = network(name)
        if not isinstance(model, Carried):
            continue
        objective, total, carried = Objective(model, LossSettings()), 0.0, None
        for start, stop in ((0, 2), (2, 3), (3, 9)):
            part = events.span(start, stop)
            loss, _, carried = objective(batch(part), carried)
            assert carried is not None and not any(tensor.requires_grad for tensor in carried.state.values())
            total += float(loss.detach()) * int(part.mask.sum())
        whole = objective(batch(events), None)[0]
        torch.testing.assert_close(total / int(events.mask.sum()), float(whole.detach()), rtol=1e-4, atol=1e-5)


def test_a_cell_that_is_only_context_is_read_and_not_asked() -> None:
    events = Events.of(HISTORIES)
    targets = events.mask
    targets[:, 0] = False
    for name in ONWARD:
        model = network(name)
        loss = Objective(model, LossSettings())(batch(events, targets), None)[0]
        skipped = [
            F.cross_entropy(
                model.score(model.advance(model.fresh(1), Events.of([codes[:t]]))), torch.tensor([codes[t]])
            )
            for codes in HISTORIES
            for t in range(1, len(codes))
        ]
        torch.testing.assert_close(loss, torch.stack(skipped).mean(), rtol=1e-4, atol=1e-5)


def test_a_piece_may_be_one_event_longer_than_a_window() -> None:
    model = network("sasrec")
    assert isinstance(model, Window)
    codes = [1 + n % 11 for n in range(model.window + 1)]
    loss, _, after = Objective(model, LossSettings())(batch(Events.of([codes])), None)
    assert after is None
    torch.testing.assert_close(loss.item(), by_hand(model, [codes]), rtol=1e-4, atol=1e-5)


def test_a_window_that_looks_both_ways_is_asked_before_the_end_of_each_row() -> None:
    model, histories = network("bilstm4rec"), [*HISTORIES, [7]]
    events = Events.of(histories)
    ends = torch.arange(events.items.shape[1]) == events.lengths[:, None] - 1
    loss, _, after = Objective(model, LossSettings())(batch(events, ends), None)
    asked = [
        F.cross_entropy(model.score(model.advance(model.fresh(1), Events.of([codes[:-1]]))), torch.tensor([codes[-1]]))
        for codes in histories
    ]
    assert after is None
    torch.testing.assert_close(loss, torch.stack(asked).mean(), rtol=1e-4, atol=1e-5)


def test_cloze_asks_for_what_it_conceals() -> None:
    model = network("bert4rec")
    assert isinstance(model, BERT4Rec)
    events = Events.of(HISTORIES)
    last = torch.arange(events.items.shape[1]) == events.lengths[:, None] - 1
    model.conceal = lambda mask: last  # type: ignore[method-assign]
    loss, _, _ = Objective(model, LossSettings())(batch(events), None)
    asked = [
        F.cross_entropy(model.score(model.advance(model.fresh(1), Events.of([codes[:-1]]))), torch.tensor([codes[-1]]))
        for codes in HISTORIES
    ]
    torch.testing.assert_close(loss, torch.stack(asked).mean(), rtol=1e-4, atol=1e-5)


def test_with_request_time_each_event_is_asked_for_at_its_own_time() -> None:
    torch.manual_seed(0)
    model = HSTU(HSTU.Config(width=8, window=10, request_time=True), Catalog(12)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    times = [[n * n * 1000 for n in range(len(codes))] for codes in HISTORIES]
    events = Events.of(HISTORIES, times)
    loss = Objective(model, LossSettings())({**batch(events), "times": events.times}, None)[0]
    asked = []
    for codes, clock in zip(HISTORIES, times, strict=True):
        for t, target in enumerate(codes):
            state = model.advance(model.fresh(1), Events.of([codes[:t]], [clock[:t]]))
            asked.append(F.cross_entropy(model.score(state, Request(torch.tensor([clock[t]]))), torch.tensor([target])))
    torch.testing.assert_close(loss, torch.stack(asked).mean(), rtol=1e-4, atol=1e-5)


def test_the_term_of_the_model_is_added_and_not_shown_as_the_loss() -> None:
    model = network("xlstm-lsr")
    model.own_loss = lambda hidden, aux, mask: (hidden.new_tensor(5.0), {"extra": hidden.new_tensor(7.0)})  # type: ignore[method-assign,attr-defined]
    loss, figures, _ = Objective(model, LossSettings())(batch(Events.of(HISTORIES)), None)
    assert float(loss.detach()) - float(figures["loss"]) == 5 and figures["extra"] == 7
