"""`/explanations` and `/similar`: what `recollect.explain` and `recollect.similar` say, and the logits of the lists."""

from __future__ import annotations

from typing import Any

import pytest

import recollect
from recollect.answers.explain import Explanations
from recollect.config import decode, plain
from recollect.registry import model_class
from recollect.serve.engine import Engine
from recollect.serve.http import schemas
from recollect.serve.stores.volatile import VolatileStore

from ...conformance.material import START
from ...conformance.subjects import ready, small
from ..material import ITEMS, TOLD, artifact
from .running import Client, events, serving

NOW = START + 5000


def engine(name: str) -> Engine:
    return Engine(artifact(name), VolatileStore(), clock=lambda: NOW)


@pytest.mark.parametrize("name", ["xlstm-lsr", "sasrec", "hstu", "markov", "itemknn", TOLD])
def test_an_explanation_is_that_of_the_library_and_of_the_list(name: str) -> None:
    one = engine(name)
    with serving(one) as client:
        client.post("/events", {"events": [*events(12), {"user": "ann", "item": "never heard of", "time": START + 40}]})
        then = ["item-20", "?", "item-21"]
        listed = client.post("/recommendations", {"user": "ann", "then": then, "k": 4})
        items = [row["item"] for row in listed["items"]]
        answer = client.post("/explanations", {"user": "ann", "then": then, "items": items, "last": 5})
        stored = one.store.history("ann").events
        history = [*(item for item, _ in stored), *then]
        times = [*(when for _, when in stored), *[NOW] * 3]
        found = recollect.explain(one.artifact, history, times=times, items=items, last=5, at=NOW)
        same(answer, found)
        assert answer["source"] == "memory" and answer["events"] == 16 and answer["unknown"] == ["?"]
        assert [one["logit"] for one in answer["items"]] == pytest.approx(
            [row["logit"] for row in listed["items"]], abs=1e-3
        )
        positions = [effect["position"] for effect in answer["items"][0]["effects"]]
        assert positions == [10, 11, 12, 14, 16]  # those that the model does not know are none of them
        assert any(abs(effect["logit"]) > 1e-3 for row in answer["items"] for effect in row["effects"])


def test_the_time_of_the_request_counts_where_the_model_uses_it() -> None:
    kind = model_class("hstu")
    model = ready(kind, decode(kind.Config, {**plain(small(kind)), "request_time": True}, where="model"))
    for later in (0, 40_000_000):
        one = Engine(artifact("hstu", model=model), VolatileStore(), clock=lambda now=NOW + later: now)  # type: ignore[misc]
        with serving(one) as client:
            client.post("/events", {"events": events(6)})
            (listed, *_) = client.get("/recommendations?user=ann")["items"]
            (found,) = client.post("/explanations", {"user": "ann", "items": [listed["item"]]})["items"]
            assert found["logit"] == pytest.approx(listed["logit"], abs=1e-4)
            history = one.store.history("ann").events
            items, times = [item for item, _ in history], [when for _, when in history]
            (untimed,) = recollect.explain(one.artifact, items, times=times, items=[listed["item"]])
            assert found["logit"] != pytest.approx(untimed.logit, abs=1e-3), "else this shows nothing"


def test_a_history_without_a_user_has_no_times() -> None:
    one = engine("hstu")
    with serving(one) as client:
        history = ["item-04", "item-09", "item-31", "item-04"]
        listed = client.post("/recommendations", {"history": history, "k": 3})
        items = [row["item"] for row in listed["items"]]
        answer = client.post("/explanations", {"history": history, "items": items})
        same(answer, recollect.explain(one.artifact, history, items=items))
        assert [row["logit"] for row in answer["items"]] == pytest.approx(
            [row["logit"] for row in listed["items"]], abs=1e-3
        )
        assert answer["source"] == "history" and one.store.users() == []


def test_leaving_an_event_out_is_asking_without_it() -> None:
    with serving(engine("gru4rec")) as client:
        history, item = ["item-04", "item-09", "item-31"], "item-17"

        def logit(items: list[str]) -> float:
            body = {"history": items, "k": 1, "allow": [item], "seen": "allowed"}
            return float(client.post("/recommendations", body)["items"][0]["logit"])

        (found,) = client.post("/explanations", {"history": history, "items": [item]})["items"]
        without = [logit(history[:n] + history[n + 1 :]) for n in range(3)]
        assert [one["logit"] for one in found["effects"]] == pytest.approx(
            [logit(history) - one for one in without], abs=1e-3
        )


def test_without_events_the_logit_is_that_of_the_list_and_nothing_speaks() -> None:
    with serving(engine("xlstm-lsr")) as client:
        listed = client.get("/recommendations?user=nobody&k=5")
        items = [row["item"] for row in listed["items"]]
        for whose in ({"user": "nobody"}, {"history": []}):
            answer = client.post("/explanations", {**whose, "items": [*items[::-1], "never heard of"]})
            assert answer["source"] == "newcomer" and answer["events"] == 0
            assert answer["unknown_items"] == ["never heard of"]
            assert [(row["item"], row["logit"], row["effects"]) for row in answer["items"]] == [
                (row["item"], row["logit"], []) for row in listed["items"][::-1]
            ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"user": "ann"}, "items: Field required"),
        ({"items": ["item-01"]}, "a user or a history is missing; send `user` (an id), or `history`"),
        ({"user": "ann", "items": []}, "items"),
        ({"user": "ann", "items": ["item-01"] * (schemas.MOST_EXPLAINED + 1)}, "items: 21 ids, at most 20"),
        ({"user": "ann", "items": ["item-01"], "last": 0}, "last: Input should be greater than or equal to 1"),
        ({"user": "ann", "items": ["item-01"], "last": 21}, "last: Input should be less than or equal to 20"),
        ({"user": "ann", "history": [], "items": ["item-01"]}, "not both"),
        ({"history": [], "then": [], "items": ["item-01"]}, "put these items at the end of `history`"),
        ({"user": "ann", "item": "item-01"}, "unknown field 'item'; did you mean 'items'?"),
    ],
)
def test_what_is_wrong_is_said(body: object, why: str) -> None:
    with serving(engine("markov")) as client:
        status, answer, _ = client.request("POST", "/explanations", body)
        assert status == 422 and why in answer["error"]


@pytest.mark.parametrize("name", ["gru4rec", "itemknn"])
def test_similar_items_are_those_of_the_library(name: str) -> None:
    one = engine(name)
    with serving(one) as client:
        answer = client.get("/similar?item=item-05&k=4")
        found = recollect.similar(one.artifact, "item-05", 4)
        assert answer["item"] == "item-05" and answer["title"] == "Title 5" and answer["measure"] == found.measure
        assert [tuple(row.values()) for row in answer["items"]] == [
            (row.rank, row.item, row.title, pytest.approx(row.similarity)) for row in found
        ]
        assert len(answer["items"]) == 4 and answer["digest"] == one.artifact.digest


def test_what_cannot_be_compared_is_said() -> None:
    with serving(engine("gru4rec")) as client:
        refused(client, "/similar", "item: Field required")
        refused(client, "/similar?item=Title%205", "the model does not know 'Title 5'; GET /items?search= finds items")
        refused(client, "/similar?item=item-05&k=0", "k: Input should be greater")
        refused(client, "/similar?item=item-05&within=genres=Drama", "kept without a table of items")
    with serving(engine("popularity")) as client:
        refused(client, "/similar?item=item-05", "popularity does not compare items; take a network")


def refused(client: Client, path: str, why: str) -> None:
    status, answer, _ = client.request("GET", path)
    assert status == 422 and why in answer["error"] and "\n" not in answer["error"]


def same(answer: dict[str, Any], found: Explanations) -> None:
    assert [(row["item"], row["title"]) for row in answer["items"]] == [(one.item, one.title) for one in found]
    for row, one in zip(answer["items"], found, strict=True):
        assert row["logit"] == pytest.approx(one.logit, abs=1e-5)
        assert [(e["position"], e["item"], e["title"]) for e in row["effects"]] == [
            (e.position, e.item, e.title) for e in one.effects
        ]
        assert [e["logit"] for e in row["effects"]] == pytest.approx([e.logit for e in one.effects], abs=1e-5)
        assert all(e["item"] in ITEMS.ids for e in row["effects"])
