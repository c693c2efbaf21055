"""Ranking from the last L events only: as from a log that was cut by hand, for every kind of model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from recollect import registry
from recollect.config import decode
from recollect.contracts import Counting, Network, Recommender
from recollect.data.blocks import ranges
from recollect.data.histories import Targets
from recollect.data.log import EventLog, Vocabulary, build_log
from recollect.data.splits import loo
from recollect.evaluate.ledger import MISS
from recollect.evaluate.ranking import rank
from recollect.registry import model_class

LAST = 7
MODELS = {
    "mlstm4rec": {"width": 8, "mlstm": {"heads": 2}, "time": {"gaps": True}},
    "xlstm-lsr": {"width": 8, "recent": 4, "mlstm": {"heads": 2}, "slstm": {"heads": 2}, "repeat": 5},
    "gru4rec": {"width": 8, "hidden": 8, "repeat": 50},
    "sasrec": {"width": 8, "window": 50, "repeat": 50},
    "hstu": {"width": 8, "window": 50},
    "markov": {},
    "personal-popularity": {},
}


def make_log(users: int = 12, items: int = 15) -> EventLog:
    draw = np.random.default_rng(2)
    lengths = draw.integers(3, 30, users)
    who = np.repeat(np.arange(users), lengths)
    times = 1_700_000_000 + draw.integers(60, 90_000, len(who)).cumsum()
    return build_log(who, draw.integers(0, items, len(who)), times, name="toy")


def every_third(log: EventLog) -> Targets:
    """Several targets of every user, so that each has last events of its own."""
    positions = np.arange(1, len(log), 3)
    return Targets(log.users[positions].astype(np.int64), positions)


def cut_by_hand(log: EventLog, targets: Targets, last: int) -> tuple[EventLog, Targets]:
    """A log in which every target is a user who has done nothing but the last events before it, and the target."""
    first = np.maximum(log.offsets[targets.users], targets.positions - last)
    index, row = ranges(first, targets.positions + 1)
    cut = dataclasses.replace(
        log,
        users=row.astype(np.int32),
        items=log.items[index],
        times=log.times[index],
        user_ids=Vocabulary(np.arange(len(targets))),
    )
    return cut, Targets(np.arange(len(targets)), cut.offsets[1:] - 1)


def made(name: str, log: EventLog, **more: object) -> Recommender:
    kind = registry.model_class(name)
    torch.manual_seed(0)
    split = loo(log)
    model: Recommender = kind(decode(kind.Config, MODELS[name] | more, where="model"), split.catalog)  # type: ignore[call-arg]
    if isinstance(model, Counting):
        model.fit(split.train)
    else:
        assert isinstance(model, Network)
        with torch.no_grad():  # what is learnt, the head's coefficients too
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_ranks_are_those_of_a_log_that_was_cut_by_hand(name: str) -> None:
    log = make_log()
    model, targets = made(name, log), every_third(log)
    cut, alone = cut_by_hand(log, targets, LAST)
    found = rank(model, log, targets, seen="allowed", last=LAST, token_budget=64, segment=4)
    assert found.rank.tolist() == rank(model, cut, alone, seen="allowed").rank.tolist()
    assert {one.history for one in found.protocols.values()} == {f"last {LAST}"}
    whole = rank(model, log, targets, seen="allowed")
    if name != "markov":  # which looks at the last eight events
        assert whole.rank.tolist() != found.rank.tolist(), "what lies further back makes no difference to this model"
    assert rank(model, log, targets, seen="allowed", last=30).rank.tolist() == whole.rank.tolist()


@pytest.mark.parametrize("name", ["sasrec", "hstu"])
def test_a_window_of_that_many_events_is_asked_as_before(name: str) -> None:
    log = make_log()
    model = made(name, log, window=LAST, repeat=0)
    targets = every_third(log)
    before, now = (rank(model, log, targets, seen="hidden", last=last) for last in (None, LAST))
    assert before.rank.tolist() == now.rank.tolist()
    kind = type(model).__name__
    assert before.protocols[kind] == now.protocols[kind] and now.protocols[kind].history == f"last {LAST}"


def test_what_was_seen_earlier_is_hidden_all_the_same() -> None:
    log = make_log()
    model = made("gru4rec", log)
    ranked = rank(model, log, every_third(log), seen="hidden", last=1)
    pasts = [log.items[log.offsets[u] : p] for u, p in zip(ranked.user, every_third(log).positions, strict=True)]
    again = [int(item) in past.tolist() for item, past in zip(ranked.item, pasts, strict=True)]
    assert (ranked.rank == MISS).tolist() == again and any(again)


def test_one_target_a_user_costs_no_more_events_than_are_told() -> None:
    log = make_log()
    told = 0

    class Counts(model_class("markov")):  # type: ignore[misc]
        def advance(self, state, events):  # type: ignore[no-untyped-def]
            nonlocal told
            told += int(events.lengths.sum())
            return super().advance(state, events)

    model = Counts(Counts.Config(), loo(log).catalog)
    model.fit(loo(log).train)
    targets = loo(log).test
    rank(model, log, targets, seen="allowed", last=LAST)
    lengths = targets.positions - log.offsets[targets.users]
    assert told == np.minimum(lengths, LAST).sum() < lengths.sum()
    told = 0
    rank(model, log, every_third(log), seen="allowed", last=30)  # longer than any history: one walk a user
    assert told <= len(log)
