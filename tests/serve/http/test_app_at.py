"""`at` over HTTP: the time of asking, now if left out, refused where it can be no time."""

from __future__ import annotations

import dataclasses
import datetime
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from recollect.cli.asking import seconds_of
from recollect.serve.engine import Engine
from recollect.serve.http.fields import FUTURE_SECONDS
from recollect.serve.requests import HistoryRequest, UserRequest
from recollect.serve.stores.volatile import VolatileStore

from ...conformance.material import START
from ..material import TOLD, artifact
from .running import serving
from .test_app import events

NOW = START + 5000
SENT = " was sent;"
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
        (
            1 << 41,
            f"{1 << 41}{SENT} seconds since 1970, a whole number such as 1717182000, are expected, and these look",
        ),
        (-(1 << 41), f"{-1 << 41}{SENT} seconds since 1970, a whole number"),
        ("future", " was sent, which is in the future; seconds since 1970, a whole number such as 1717182000, up to a"),
        ("2999-01-01", '"2999-01-01" was sent, which is in the future'),
        ("9999-12-31T23:59:59-12:00", "was sent, which is in the future"),
        ("soon", f'"soon"{SENT} seconds since 1970 (1717182000), or an ISO date or time (2024-05-31, '),
        ("31.05.2024", f'"31.05.2024"{SENT} seconds since 1970 (1717182000), or an ISO date or time'),
        ("2024-05-31T25:00:00", f"{SENT} seconds since 1970 (1717182000), or an ISO date or time"),
        ("9" * 5000, f"...{SENT} seconds since 1970 (1717182000), or an ISO date or time"),
        (1.5, f"1.5{SENT} seconds since 1970 (1717182000), or an ISO date or time"),
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
            error = answer["error"].replace(f'"{at}"', str(at)) if isinstance(at, int | float) else answer["error"]
            assert status == 422 and error.startswith("at: ") and why in error and "\n" not in error, (method, error)


@pytest.mark.parametrize(
    ("zone", "at", "seconds"),
    [
        (None, "2024-05-31", 1_717_113_600),
        (None, "2024-05-31T19:00:00Z", 1_717_182_000),
        (None, "2024-05-31 21:00:00+02:00", 1_717_182_000),
        (None, "1717182000", 1_717_182_000),
        (None, " 1717182000 ", 1_717_182_000),
        ("Europe/Berlin", "2024-05-31", 1_717_106_400),
        ("Europe/Berlin", "2024-05-31T19:00:00Z", 1_717_182_000),
        ("Europe/Berlin", 1_717_182_000.0, 1_717_182_000),
    ],
)
def test_dates_are_taken_as_the_command_line_takes_them(zone: str | None, at: Any, seconds: int) -> None:
    one = engine(TOLD)
    settings = {**one.artifact.settings, "data": {"time_zone": zone}}
    one = Engine(dataclasses.replace(one.artifact, settings=settings), VolatileStore(), clock=lambda: NOW)
    assert seconds_of(str(at).removesuffix(".0"), one.artifact) == seconds
    with serving(one) as client:
        bodies = [{"user": "ann"}, {"history": []}]
        answers = [client.post("/recommendations", {**body, "at": at}) for body in bodies]
        answers += [client.get(f"/recommendations?user=ann&{urlencode({'at': str(at).removesuffix('.0')})}")]
        assert [answer["at"] for answer in answers] == [seconds] * 3
        same = [client.post("/explanations", {**bodies[0], "items": ["item-01"], "at": one}) for one in (at, seconds)]
        assert same[0] == same[1]


def test_a_date_that_begins_later_in_the_models_zone_is_still_refused_as_the_future() -> None:
    one = engine(TOLD)
    settings = {**one.artifact.settings, "data": {"time_zone": "America/Los_Angeles"}}
    one = Engine(dataclasses.replace(one.artifact, settings=settings), VolatileStore(), clock=lambda: NOW)
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=FUTURE_SECONDS - 60)
    at = tomorrow.strftime("%Y-%m-%dT%H:%M:%S")
    with serving(one) as client:
        status, answer, _ = client.request("POST", "/recommendations", {"user": "ann", "at": at})
        assert status == 422 and answer["error"].startswith(f'at: "{at}" was sent, which is in the future')
        assert client.request("POST", "/recommendations", {"user": "ann", "at": f"{at}Z"})[0] == 200
        soon = int(time.time()) + FUTURE_SECONDS - 1000
        assert client.get(f"/recommendations?user=ann&at={soon}")["source"] == "newcomer"
