"""When a list is asked for: models that use the time of asking are told it, and others answer as if nobody had said."""

from __future__ import annotations

import pytest

from recollect.recommend import Recommendation, recommend
from recollect.serve.engine import Engine
from recollect.serve.explaining import explain_items
from recollect.serve.requests import ExplanationRequest, HistoryRequest, UserRequest
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.volatile import VolatileStore

from .material import TOLD, artifact
from .test_engine import NOW, alike, engine, some

LATER = NOW + 5 * 86_400 + 7 * 3600


def offline(
    one: Engine, history: list[tuple[str, int]], at: int, k: int = 100, seen: str = "hidden"
) -> list[Recommendation]:
    model, items, times = one.artifact, [item for item, _ in history], [when for _, when in history]
    (answer,) = recommend(
        model.model, model.items, [items], times=[times], titles=model.titles, k=k, seen=seen, at=[at]  # type: ignore[arg-type]
    )  # fmt: skip
    return list(answer)


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_each_request_of_a_batch_has_a_time_of_its_own(seen: str) -> None:
    one = engine(TOLD)
    one.add([*some(20, "ann"), *some(3, "bob", seed=2)])
    asked = [("ann", LATER, ()), ("bob", None, ()), ("ann", None, ()), ("bob", LATER, ("item-05", "item-05"))]
    answers = one.recommend([UserRequest(user, then, k=100, seen=seen, at=at) for user, at, then in asked])  # type: ignore[arg-type]
    for (user, at, then), answer in zip(asked, answers, strict=True):
        moment = at or NOW
        history = [*one.store.history(user).events, *((item, moment) for item in then)]
        alike(answer.items, offline(one, history, moment, seen=seen))
        assert answer.at == moment
    gap = max(abs(a.logit - b.logit) for a, b in zip(answers[0].items, answers[2].items, strict=True))
    assert gap > 0.01, "else this shows nothing"
    (nobody,) = one.recommend([UserRequest("nobody", at=LATER, k=100, seen=seen)])  # type: ignore[arg-type]
    alike(nobody.items, offline(one, [], LATER, seen=seen))
    assert nobody.source == "newcomer" and nobody.at == LATER


@pytest.mark.parametrize("name", ["xlstm-lsr", "hstu", "markov"])
def test_a_model_that_uses_no_time_of_asking_answers_as_ever(name: str) -> None:
    one = engine(name)
    one.add(some(20, "ann"))
    now, later = one.recommend([UserRequest("ann"), UserRequest("ann", at=LATER)])
    assert now == later and now.at is None
    history = tuple(item for item, _ in one.store.history("ann").events)
    now, later = one.recommend_after([HistoryRequest(history), HistoryRequest(history, at=LATER)])
    assert now == later and now.at is None


def test_what_comes_without_times_has_come_just_then() -> None:
    one = engine(TOLD)
    items = ("item-04", "item-09", "item-04", "item-31")
    for at in (None, LATER):
        when = at or NOW
        (answer,) = one.recommend_after([HistoryRequest(items, k=100, at=at)])
        alike(answer.items, offline(one, [(item, when) for item in items], when))
        model = one.artifact
        (typed,) = recommend(model.model, model.items, [items], titles=model.titles, k=100, at=[when])
        alike(answer.items, list(typed))
        (thought_of,) = one.recommend([UserRequest("nobody", items, k=100, at=at)])
        alike(answer.items, thought_of.items)
        assert answer.at == when and answer.source == "history"


def test_a_log_without_times_is_answered_without() -> None:
    plain = artifact(TOLD)
    plain.card["data"]["clock"] = False  # type: ignore[index]
    one = Engine(plain, VolatileStore(), clock=lambda: NOW)
    one.add(some(20, "ann"))
    items = [item for item, _ in one.store.history("ann").events]
    answers = one.recommend([UserRequest("ann", k=100), UserRequest("ann", k=100, at=LATER)])
    (expected,) = recommend(plain.model, plain.items, [items], titles=plain.titles, k=100)
    for answer in answers:
        alike(answer.items, list(expected))
        assert answer.at is None
    assert [list(one) for one in plain.recommend([items], k=100, at=[LATER])] == [list(expected)]


@pytest.mark.parametrize("user", ["ann", None])
def test_an_explanation_has_the_logits_of_the_list_of_the_same_time(user: str | None) -> None:
    one, then = engine(TOLD), ("item-20", "item-04")
    one.add([*some(20, "ann"), IncomingEvent("ann", "never heard of", NOW - 1000)])
    for at in (None, LATER):
        if user is None:
            (listed,) = one.recommend_after([HistoryRequest(then, k=5, at=at)])
        else:
            (listed,) = one.recommend([UserRequest(user, then, k=5, at=at)])
        items = tuple(row.item for row in listed.items)
        why = explain_items(one.ranker, one.store, ExplanationRequest(user, then, items, 8, at), NOW)
        assert [row.logit for row in why.items] == pytest.approx([row.logit for row in listed.items], abs=1e-3)


def test_a_late_event_makes_the_memory_anew_with_its_time() -> None:
    one = engine(TOLD)
    one.add(some(10, "ann"))
    one.recommend([UserRequest("ann")])
    one.save()
    one.add([IncomingEvent("ann", "item-17", some(10, "ann")[4].time)])
    again = Engine(one.artifact, one.store, clock=lambda: NOW)
    for each in (one, again):
        (answer,) = each.recommend([UserRequest("ann", k=100)])
        alike(answer.items, offline(each, each.store.history("ann").events, NOW))
