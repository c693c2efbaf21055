"""`at` over HTTP: the time of asking, now if left out, refused where it can be no time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from recollect.serve.engine import Engine
from recollect.serve.http.fields import FUTURE_SECONDS
from recollect.serve.requests import HistoryRequest, UserRequest
from recollect.serve.stores.volatile import VolatileStore

from ...conformance.material import START
from ..material import TOLD, artifact
from .running import serving
from .test_app import events

NOW = START + 5000
LATER = NOW + 3 * 86_400


def engine(name: str) -> Engine:
    return Engine(artifact(name), VolatileStore(), clock=lambda: NOW)


def logits(answer: dict[str, Any]) -> list[tuple[str, float]]:
    return [(row["item"], row["logit"]) for row in answer["items"]]


def test_a_list_is_asked_for_at_the_time_that_is_given() -> None:
    one, history = engine(TOLD), ["item-04", "item-09"]
    with serving(one) as client:
        client.post("/events", {"events": events(12)})
        for at in (None, LATER):
            given = {} if at is None else {"at": at}
            (wanted,) = one.recommend([UserRequest("ann", k=5, at=at)])
            expected = [(row.item, pytest.approx(row.logit, abs=1e-5)) for row in wanted.items]
            got = client.get("/recommendations?user=ann&k=5" + ("" if at is None else f"&at={at}"))
            posted = client.post("/recommendations", {"user": "ann", "k": 5, **given})
            assert logits(got) == expected == logits(posted)
            assert got["at"] == posted["at"] == (at or NOW)
            why = client.post("/explanations", {"user": "ann", "items": [got["items"][0]["item"]], **given})
            assert why["items"][0]["logit"] == pytest.approx(got["items"][0]["logit"], abs=1e-3)
            (typed,) = one.recommend_after([HistoryRequest(tuple(history), k=5, at=at)])
            listed = client.post("/recommendations", {"history": history, "k": 5, **given})
            assert logits(listed) == [(row.item, pytest.approx(row.logit, abs=1e-5)) for row in typed.items]
            why = client.post("/explanations", {"history": history, "items": [listed["items"][0]["item"]], **given})
            assert why["items"][0]["logit"] == pytest.approx(listed["items"][0]["logit"], abs=1e-3)


def test_a_model_that_uses_none_says_so() -> None:
    with serving(engine("gru4rec")) as client:
        client.post("/events", {"events": events(12)})
        now, later = (client.get(f"/recommendations?user=ann{at}") for at in ("", f"&at={LATER}"))
        assert now == later and later["at"] is None


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (1 << 41, "at: seconds since 1970 are expected; these look like milliseconds or less"),
        (-(1 << 41), "at: seconds since 1970 are expected"),
        ("future", "is in the future; seconds are expected"),
        ("soon", "at: Input should be a valid integer"),
        (1.5, "at: Input should be a valid integer"),
    ],
)
def test_what_is_no_time_is_refused(at: object, why: str) -> None:
    if at == "future":
        at = int(time.time()) + FUTURE_SECONDS + 1000
    with serving(engine(TOLD)) as client:
        bodies = [{"user": "ann"}, {"history": []}]
        tries = [("GET", f"/recommendations?user=ann&at={at}", None)]
        tries += [("POST", "/recommendations", {**body, "at": at}) for body in bodies]
        tries += [("POST", "/explanations", {**body, "items": ["item-01"], "at": at}) for body in bodies]
        for method, path, body in tries:
            status, answer, _ = client.request(method, path, body)
            assert status == 422 and why in answer["error"] and "\n" not in answer["error"]
        soon = int(time.time()) + FUTURE_SECONDS - 1000
        assert client.get(f"/recommendations?user=ann&at={soon}")["source"] == "newcomer"
