"""Nothing that is asked for is ignored without a word, and lists are restricted over HTTP as offline."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from recollect.serve.engine import Engine
from recollect.serve.http import guard
from recollect.serve.stores.volatile import VolatileStore

from ..material import ITEMS, artifact
from ..test_engine import alike, offline
from .running import Client, events, serving
from .test_app import listed


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("GET", "/recommendations?user=ann&see=allowed", "unknown query parameter 'see'; did you mean 'seen'?"),
        ("GET", "/recommendations?usr=ann", "unknown query parameter 'usr'; did you mean 'user'?"),
        (
            "GET",
            "/recommendations?user=ann&category=x",
            "unknown query parameter 'category'; known: at, k, seen, user, within",
        ),
        ("GET", "/recommendations?user=ann&allow=1", "'allow'; send it in the JSON body of POST /recommendations"),
        ("GET", "/recommendations?user=ann&user=bob", "'user' is given 2 times; give it once"),
        ("GET", "/recommendations?user=ann&k=3&k=3", "'k' is given 2 times"),
        ("POST", "/recommendations?k=3", "'k'; send it in the JSON body"),
        ("POST", "/events?user=ann", "'user'; send it in the JSON body of POST /events"),
        ("GET", "/users?prefx=a", "did you mean 'prefix'?"),
        ("GET", "/users/ann?limits=3", "did you mean 'limit'?"),
        ("DELETE", "/users/ann?compat=true", "did you mean 'compact'?"),
        ("GET", "/items?serach=a", "did you mean 'search'?"),
        ("GET", "/model?x=1", "unknown query parameter 'x'; there is none here"),
        ("GET", "/readyz?x", "'x'; there is none here"),
        ("GET", "/metrics?" + "y" * 5000, "there is none here"),
    ],
)
def test_unknown_query_parameters_are_refused_with_the_nearest_known_one(
    client: Client, method: str, path: str, why: str
) -> None:
    body = {"user": "ann", "item": "item-01"} if path.startswith("/events") else {"user": "ann"}
    status, answer, _ = client.request(method, path, body if method == "POST" else None)
    assert status == 422 and why in answer["error"] and len(answer["error"]) < 300
    assert client.get("/users/ann")["events"] == 12  # nothing was done all the same


def test_every_route_of_the_document_refuses_what_it_does_not_know(client: Client) -> None:
    paths = client.get("/openapi.json")["paths"]
    assert len(paths) >= 9
    for path, methods in paths.items():
        for method in methods:
            place = path.replace("{user}", "ann") + "?no-such-parameter=1"
            assert client.request(method.upper(), place, {} if method == "post" else None)[0] == 422, place


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"usr": "ann"}, "unknown field 'usr'; did you mean 'user'?"),
        ({"user": "ann", "see": "allowed"}, "unknown field 'see'; did you mean 'seen'?"),
        ({"user": "ann", "history": []}, "a list is for a user or after a history, not both"),
        ({"user": "ann", "allow": ["item-01", {}]}, "allow: the id at 1 is not a string"),
        ({"user": "ann", "deny": ["x" * 257]}, "deny: the id at 0: 257 bytes, at most 256"),
        ({"history": ["a"] * 10_001}, "history: 10,001 ids, at most 10,000 are accepted"),
    ],
)
def test_what_is_wrong_in_a_body_is_named(client: Client, body: object, why: str) -> None:
    status, answer, _ = client.request("POST", "/recommendations", body)
    assert status == 422 and why in answer["error"]


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/events", '{"user": "ann", "user": "bob", "item": "item-01"}', "user"),
        ("/events", '{"events": [{"user": "ann", "item": "item-01", "item": "item-01"}]}', "item"),
        ("/events", '{"user": "ann", "item": "item-01", "\\u0075ser": "bob"}', "user"),
        ("/recommendations", '{"user": "ann", "k": 3, "k": 5, "k": 7, "user": "bob"}', "k"),
        ("/recommendations", '{"user": "ann", "within": {"genres": "Comedy", "genres": "Drama"}}', "genres"),
        ("/explanations", '{"history": [], "items": ["item-01"], "history": ["item-02"]}', "history"),
        ("/recommendations", '{"\\ud800": 1, "\\ud800": 2}', "?"),
        ("/recommendations", f'{{"{"x" * 9000}": 1, "{"x" * 9000}": 2}}', "x" * 64),
    ],
)
def test_a_key_that_is_given_twice_is_refused_by_name(
    client: Client, engine: Engine, path: str, body: str, key: str
) -> None:
    before = engine.store.events
    status, answer, _ = client.request("POST", path, body.encode())
    assert status == 422 and answer["error"] == f"the key {key!r} is given more than once in one object; give it once"
    assert engine.store.events == before


def test_the_same_key_in_several_objects_is_no_double(client: Client) -> None:
    two = {"events": [{"user": "ann", "item": "item-01"}, {"user": "ann", "item": "item-01"}]}
    assert len(client.post("/events", two)["events"]) == 2


@pytest.mark.parametrize("path", ["/events", "/recommendations", "/explanations"])
@pytest.mark.parametrize("body", [b"", b"null", b"3", b'"ann"', b"[]"])
def test_a_body_that_is_no_object_is_told_so(client: Client, path: str, body: bytes) -> None:
    status, answer, _ = client.request("POST", path, body)
    assert (status, answer["error"]) == (422, "a JSON object is expected as the body")


NEITHER = "a user or a history is missing; send `user` (an id), or `history` (a list of item ids)"


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/recommendations", {}, NEITHER),
        ("/recommendations", {"k": 3}, NEITHER),
        ("/recommendations", {"then": ["item-01"]}, NEITHER),
        ("/recommendations", {"usr": "ann"}, "unknown field 'usr'; did you mean 'user'?"),
        ("/recommendations", {"user": None}, "user: Input should be a valid string"),
        ("/recommendations", [], "a JSON object is expected"),
        ("/explanations", {}, NEITHER),
        ("/explanations", {"items": ["item-01"]}, NEITHER),
    ],
)
def test_a_body_without_a_user_is_told_of_both_forms(client: Client, path: str, body: object, why: str) -> None:
    status, answer, _ = client.request("POST", path, body)
    assert status == 422 and answer["error"].startswith(why)


def test_as_many_items_as_fit_into_a_body_can_be_allowed_or_denied(client: Client, engine: Engine) -> None:
    history = engine.store.history("ann").events
    everything = offline(engine.artifact, history, 100)
    others = [f"not-in-the-model-{number}" for number in range(100_000)]
    allow = [*others, *(one.item for one in everything[3:9])]
    some = client.post("/recommendations", {"user": "ann", "allow": allow})
    assert [row["item"] for row in some["items"]] == [one.item for one in everything[3:9]]
    assert some["candidates"] == 6
    deny = [*others, *(one.item for one in everything[:5])]
    rest = client.post("/recommendations", {"user": "ann", "deny": deny, "k": 100})
    assert [row["item"] for row in rest["items"]] == [one.item for one in everything[5:]]
    assert rest["candidates"] == len(ITEMS) - 5
    numbers = client.post("/recommendations", {"user": "ann", "allow": [1, 2.0, "item-01"], "seen": "allowed"})
    assert [row["item"] for row in numbers["items"]] == ["item-01"]
    assert numbers["unknown_items"] == ["1", "2"] and sorted(others) == rest["unknown_items"] == some["unknown_items"]
    status, answer, _ = client.request("POST", "/recommendations", {"user": "ann", "deny": others * 5})
    assert status == 413 and f"{guard.BODY_BYTES:,} bytes" in answer["error"]
    fields = client.get("/openapi.json")["components"]["schemas"]["UserRecommendationsIn"]["properties"]
    for name in ("allow", "deny"):
        assert f"{guard.BODY_BYTES:,} bytes" in fields[name]["description"] and "maxItems" not in str(fields[name])


def test_ids_that_the_model_does_not_know_are_named(client: Client) -> None:
    body = {"allow": ["item-02", "sold out", "item-02", "sold out"], "deny": ["item-03", "gone", "sold out"]}
    for asked in ({"user": "ann"}, {"user": "nobody"}, {"history": ["item-01", "never heard of"]}):
        answer = client.post("/recommendations", {**asked, **body, "seen": "allowed"})
        assert answer["unknown_items"] == ["gone", "sold out"] and answer["candidates"] == 1
        assert answer["unknown"] == (["never heard of"] if "history" in asked else [])
    nothing = client.post("/recommendations", {"user": "ann", "allow": ["sold out"]})
    assert nothing["items"] == [] and nothing["candidates"] == 0 and nothing["unknown_items"] == ["sold out"]
    assert client.get("/recommendations?user=ann")["unknown_items"] == []


def test_many_large_bodies_at_once_do_not_fill_the_memory(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"body_bytes": 5000, "body_seconds": 10.0, "buffered_bytes": 9000}
    monkeypatch.setattr(guard.Guard.__init__, "__kwdefaults__", limits)
    head = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4500\r\n\r\n"
    with serving(engine) as client:
        one, other = (socket.create_connection(("127.0.0.1", client.port), timeout=10) for _ in range(2))
        with one, other:
            one.sendall(head + b" " * 4490)
            other.sendall(head + b" " * 4490)
            assert client.get("/healthz")  # both have been read by now
            status, answer, _ = client.request("POST", "/events", b" " * 100)
            assert status == 503 and "try again" in answer["error"]
            one.sendall(b" " * 10)
            assert one.recv(1000).startswith(b"HTTP/1.1 422")
            assert client.request("POST", "/events", b" " * 100)[0] == 422


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_seen_items_are_listed_as_in_the_run(seen: str) -> None:
    store = VolatileStore()
    engine = Engine(artifact("markov", seen=seen), store)
    with serving(engine) as client:
        client.post("/events", {"events": events(30)})
        history = store.history("ann").events
        assert client.get("/model")["seen"] == seen
        for answer in (
            client.get("/recommendations?user=ann&k=100"),
            client.post("/recommendations", {"user": "ann", "k": 100}),
            client.post("/recommendations", {"history": [item for item, _ in history], "k": 100}),
        ):
            assert answer["seen"] == seen
            alike(listed(answer), offline(engine.artifact, history, 100, seen))
        other = {"hidden": "allowed", "allowed": "hidden"}[seen]
        answer = client.get(f"/recommendations?user=ann&k=100&seen={other}")
        assert answer["seen"] == other
        alike(listed(answer), offline(engine.artifact, history, 100, other))


def test_a_list_as_if_a_user_had_more(client: Client, engine: Engine) -> None:
    before = client.get("/recommendations?user=ann&k=100")
    first = before["items"][0]["item"]
    then = client.post("/recommendations", {"user": "ann", "then": [first, "never heard of"], "k": 100})
    assert then["events"] == 14 and then["unknown"] == ["never heard of"] and then["source"] == "memory"
    assert first not in [row["item"] for row in then["items"]]
    assert then["items"][0]["logit"] != before["items"][1]["logit"]
    assert client.get("/recommendations?user=ann&k=100") == before and engine.store.events == 12


def test_items_are_found_by_title_and_the_model_describes_itself(client: Client, engine: Engine) -> None:
    found = client.get("/items?search=title%202&limit=3")["items"]
    assert found[0]["title"] == "Title 2" and len(found) == 3
    counts = engine.artifact.model.catalog.counts
    assert counts is not None and [one["events"] for one in found[:1]] == [counts[2]]
    assert client.get("/items?search=item-07")["items"][0]["item"] == "item-07"
    assert client.get("/items?search=no%20such%20title")["items"] == []
    popular = [one["events"] for one in client.get("/items?limit=100")["items"]]
    assert popular == sorted(counts[1:].tolist(), reverse=True)
    about = client.get("/model")
    assert about["model"] == "xlstm-lsr" and about["digest"] == engine.artifact.digest
    assert about["items"] == len(ITEMS) and about["probabilities"] and about["memory_bytes"] == engine.bytes_per_user


def test_the_old_names_are_still_sent(client: Client) -> None:
    answer = client.get("/recommendations?user=ann")
    assert answer["long_weight"] == answer["long_term_weight"] and 0 < answer["long_weight"] < 1
    fields = client.get("/openapi.json")["components"]["schemas"]["RecommendationsOut"]["properties"]
    assert fields["long_weight"]["deprecated"] is True
    figures = dict(line.split(" ") for line in client.get("/metrics").splitlines() if line.startswith("recollect_"))
    for old, new in (("waiting", "requests_waiting"), ("behind", "users_behind"), ("at_hand", "cached_users")):
        assert f"recollect_{old}" in figures and f"recollect_{new}" in figures
    assert figures["recollect_at_hand"] == figures["recollect_cached_users"] != "0.0"


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\0", "\x1f", "\x7f"])
def test_control_characters_are_no_part_of_an_id_or_a_path(client: Client, sign: str) -> None:
    for event in ({"user": f"a{sign}", "item": "item-01"}, {"user": "a", "item": f"item{sign}01"}):
        status, answer, _ = client.request("POST", "/events", event)
        assert status == 422 and "a control character" in answer["error"]
    status, answer, _ = client.request("POST", "/recommendations", {"history": ["item-01", f"x{sign}"]})
    assert status == 422 and "the id at 1: a control character" in answer["error"]
    for method in ("GET", "DELETE"):
        status, answer, _ = client.request(method, f"/users/ann%{ord(sign):02x}")
        assert status in (400, 422) and "control character" in answer["error"]
    assert client.get("/users/ann")["events"] == 12


def test_names_in_other_scripts_and_signs_are_ids(client: Client) -> None:
    for user in ("Ольга", "商品", "a b", "x|y;z", "é\u00a0", "😀"):
        assert client.request("POST", "/events", {"user": user, "item": "item-01"})[0] == 200


@pytest.mark.parametrize("parts", [[b"x" * 11], [b"x" * 6, b"x" * 5], [b"x" * 11, b"x", b"x"]])
def test_a_body_that_is_too_large_is_waited_for_only_while_more_of_it_comes(parts: list[bytes]) -> None:
    left, sent = list(parts), list[Any]()

    async def receive() -> dict[str, Any]:
        assert left, "nothing more will come"
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: object) -> None:
        raise AssertionError("it is refused before")

    scope = {"type": "http", "headers": [], "path": "/events"}
    asyncio.run(guard.Guard(app, hosts=None, body_bytes=10)(scope, receive, send))
    assert sent[0]["status"] == 413 and not left
