"""The HTTP interface, asked as a stranger would ask it: over a socket, with good requests and bad ones."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from recollect.recommend import Recommendation
from recollect.serve.engine import Engine
from recollect.serve.http import guard, schemas
from recollect.serve.http.app import create_app
from recollect.serve.service import Service
from recollect.serve.stores.contract import StoreError

from ...conformance.material import START
from ..test_engine import alike, offline
from .running import Client, events, serving


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    with serving(engine) as one:
        yield one


def listed(answer: dict[str, object]) -> list[Recommendation]:
    return [Recommendation(**row) for row in answer["items"]]  # type: ignore[attr-defined]


def test_from_events_to_a_list(client: Client, engine: Engine) -> None:
    fresh = client.get("/recommendations?user=ann&k=3")
    assert fresh["source"] == "newcomer" and fresh["events"] == 0 and len(fresh["items"]) == 3
    one = client.post("/events", {"user": "ann", "item": "item-03"})["events"]
    assert [(row["outcome"], row["number"]) for row in one] == [("new", 1)] and one[0]["id"]
    many = client.post("/events", {"events": events(20)})["events"]
    assert [row["outcome"] for row in many] == ["new"] * 20
    answer = client.get("/recommendations?user=ann&k=5")
    history = engine.store.history("ann").events
    alike(listed(answer), offline(engine.artifact, history, 5))
    assert answer["source"] == "memory" and answer["events"] == 21 and 0 < answer["long_term_weight"] < 1
    assert answer["model"] == "xlstm-lsr" and answer["digest"] == engine.artifact.digest
    whole = client.post("/recommendations", {"user": "ann", "k": 100, "seen": "allowed"})
    alike(listed(whole), offline(engine.artifact, history, 100, "allowed"))


def test_ids_may_be_numbers_and_hold_anything(client: Client) -> None:
    client.post("/events", {"user": 42, "item": 661})
    assert client.get("/users/42")["history"][0]["item"] == "661"
    strange = "a/b?c#\N{SNOWMAN} %2F ../x"
    client.post("/events", {"user": strange, "item": "item-01"})
    assert client.get(f"/users/{quote(strange, safe='')}")["user"] == strange
    assert client.get(f"/recommendations?user={quote(strange, safe='')}")["source"] == "memory"


def test_sending_again_changes_nothing_and_another_event_under_its_id_is_a_conflict(client: Client) -> None:
    client.post("/events", {"events": events(5)})
    assert {row["outcome"] for row in client.post("/events", {"events": events(5)})["events"]} == {"repeated"}
    status, answer, _ = client.request("POST", "/events", {"events": [*events(6), {**events(1)[0], "item": "other"}]})
    assert status == 409
    assert [row["outcome"] for row in answer["events"]] == [*["repeated"] * 5, "new", "conflict"]
    assert client.get("/users/ann")["events"] == 6


def test_a_history_of_nobody_leaves_nothing(client: Client, engine: Engine) -> None:
    history = ["item-04", "item-09", "never heard of"]
    answer = client.post("/recommendations", {"history": history, "k": 4})
    alike(listed(answer), offline(engine.artifact, [(item, START) for item in history], 4))
    assert answer["source"] == "history" and answer["unknown"] == ["never heard of"]
    first = answer["items"][0]["item"]
    kept = client.post("/recommendations", {"history": history, "deny": [first], "allow": [first, "item-20"]})
    assert [row["item"] for row in kept["items"]] == ["item-20"] and kept["long_term_weight"] is not None
    assert engine.store.users() == []


def test_a_user_can_be_looked_at_and_forgotten(client: Client, engine: Engine) -> None:
    client.post("/events", {"events": [*events(30), {"user": "ann", "item": "never heard of"}]})
    about = client.get("/users/ann?limit=2")
    assert about["events"] == 31 and about["memory_bytes"] == engine.bytes_per_user
    known, unknown = about["history"]
    assert known["title"].startswith("Title ") and known["time"] == START + 29 and unknown["title"] is None
    assert client.request("DELETE", "/users/ann")[:2] == (200, {"user": "ann", "compacted": False})
    assert client.request("DELETE", "/users/ann")[0] == client.request("GET", "/users/ann")[0] == 404
    assert client.get("/recommendations?user=ann")["source"] == "newcomer"
    client.post("/events", {"user": "secret-bob", "item": "item-01"})
    assert client.request("DELETE", "/users/secret-bob?compact=true")[1]["compacted"]
    files = [path for path in engine.store.folder.rglob("*") if path.is_file()]  # type: ignore[attr-defined]
    assert files and not any(b"secret-bob" in path.read_bytes() for path in files)


def test_a_compaction_that_fails_says_that_the_user_is_forgotten(
    client: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise StoreError("the disk is full")

    client.post("/events", {"user": "secret-bob", "item": "item-01"})
    with monkeypatch.context() as patch:
        patch.setattr(engine.store, "compact", full)
        status, said, _ = client.request("DELETE", "/users/secret-bob?compact=true")
    assert status == 503 and "void, but the files could not be rewritten; send it again" in str(said)
    assert client.request("GET", "/users/secret-bob")[0] == 404
    assert client.request("DELETE", "/users/secret-bob?compact=true")[0] == 200


def test_who_was_forgotten_before_can_still_be_taken_out_of_the_files(client: Client, engine: Engine) -> None:
    client.post("/events", {"user": "secret-bob", "item": "item-01"})
    assert client.request("DELETE", "/users/secret-bob")[0] == 200
    files = [path for path in engine.store.folder.rglob("*") if path.is_file()]  # type: ignore[attr-defined]
    assert any(b"secret-bob" in path.read_bytes() for path in files)
    status, again, _ = client.request("DELETE", "/users/secret-bob?compact=true")  # the files are done now
    assert status == 200 and again == {"user": "secret-bob", "compacted": True}
    files = [path for path in engine.store.folder.rglob("*") if path.is_file()]  # type: ignore[attr-defined]
    assert files and not any(b"secret-bob" in path.read_bytes() for path in files)


def test_users_are_found_by_how_their_ids_begin(client: Client) -> None:
    client.post("/events", {"events": [{"user": f"user-{n:03}", "item": "item-01"} for n in (7, 12, 3, 11)]})
    assert client.get("/users?limit=3")["users"] == ["user-003", "user-007", "user-011"]
    assert client.get("/users?prefix=user-01")["users"] == ["user-011", "user-012"]
    assert client.get("/users?after=user-007&prefix=user-0")["users"] == ["user-011", "user-012"]
    assert client.get("/users?prefix=x")["users"] == []


def test_memories_are_advanced_and_saved_in_the_background(client: Client, engine: Engine) -> None:
    client.post("/events", {"events": events(40)})
    deadline = time.monotonic() + 20
    while (saved := engine.store.load_memories(["ann"])[0]) is None or saved.position.events < 40:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    metrics = client.get("/metrics")
    client.post("/events", {"user": "ann", "item": "never heard of"})
    assert 'recollect_events_total{known="yes",outcome="new"} 40.0' in metrics
    assert 'recollect_events_total{known="no",outcome="new"} 1.0' in client.get("/metrics")
    assert "recollect_behind 0.0" in metrics
    assert 'recollect_request_seconds_count{route="/events",status="200"} 1.0' in metrics


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"user": "ann"}, "item: Field required"),
        ({"user": "ann", "item": "x", "rating": 5}, "^unknown field 'rating'; known: id, item, time, user"),
        ({"user": "ann", "items": "x"}, "^unknown field 'items'; did you mean 'item'"),
        ({"events": [{"usr": "ann", "item": "x"}]}, "^events.0: unknown field 'usr'; did you mean 'user'"),
        ({"\ud800" * 99: 1}, "^unknown field"),
        ({"user": "", "item": "x"}, "user: String should have at least 1"),
        ({"user": "\N{SNOWMAN}" * 100, "item": "x"}, "user: 300 bytes"),
        (
            {"user": "ann", "item": "x", "time": "yesterday"},
            '^time: "yesterday" was sent; seconds since 1970, a whole number such as',
        ),
        ({"user": "ann", "item": "x", "time": 1e400}, "time"),
        (
            {"user": "ann", "item": "x", "time": 1_600_000_000_000},
            "^time: 1600000000000 was sent; seconds .* milliseconds",
        ),
        (
            {"user": "ann", "item": "x", "time": "2024-05-31"},
            "2024-05-31. was sent; seconds since 1970, a whole number",
        ),
        (
            {"events": [{"user": "a", "item": "x", "time": "2024-05-31T19:00:00Z"}]},
            r"^events.0.time: \S+Z. was sent; sec",
        ),
        ({"user": "ann", "item": "x", "time": 1.5}, "^time: 1.5 was sent; seconds since 1970"),
        ({"user": "ann", "item": "x", "time": True}, "^time: true was sent; seconds since 1970"),
        (
            {"user": "ann", "item": "x", "time": "1717182000"},
            '^time: "1717182000" was sent; seconds since 1970, a whole',
        ),
        ({"user": "ann", "item": "x", "time": {"$date": 5}}, "was sent; seconds since 1970, a whole number"),
        ({"user": "ann", "item": "x", "time": "x" * 9000}, "xx... was sent; seconds since 1970, a whole number"),
        (
            {"user": "ann", "item": "x", "time": 10_000_000_000},
            "^time: 10000000000 .* 2286-.*more than a day ahead; seconds since 1970",
        ),
        ({"user": "ann", "item": True}, "item: Input should be a valid string"),
        ({"events": []}, "events: List should have at least 1"),
        ({"events": events(1) * (schemas.MOST_EVENTS + 1)}, "events: List should have at most 1000"),
        ([1, 2], "a JSON object is expected"),
        (b"{", "the body is no JSON .JSON decode error at character 1: "),
        (b"user=ann&item=x", "the body is no JSON .JSON decode error at character 0: "),
        (b"\x1f\x8b\x08\x00", "the body is no JSON"),
        (b'{"user": "\xff", "item": "x"}', "."),
        (b'{"user": "\\ud800", "item": "x"}', "."),
        (b"[" * 100_000, "."),
    ],
)
def test_bad_events_are_said_and_nothing_is_taken(client: Client, engine: Engine, body: object, why: str) -> None:
    status, answer, _ = client.request("POST", "/events", body)
    assert status == 422 and set(answer) == {"error"}
    assert re.search(why, answer["error"]), answer
    assert engine.store.users() == [] and len(str(answer)) < 500


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "a", "history": ["b"]},
        {"user": "a", "k": 0},
        {"user": "a", "k": 1001},
        {"user": "a", "seen": "maybe"},
        {"history": ["a"] * (schemas.MOST_HISTORY + 1)},
        {"history": ["a"], "deny": "b"},
        {"user": "a", "then": ["b"] * (schemas.MOST_THEN + 1)},
        {"history": ["a"], "then": ["b"]},
        {"user": "a", "allow": ["b", None]},
        {"user": "a", "deny": ["\ud800"]},
    ],
)
def test_bad_questions_are_said(client: Client, body: object) -> None:
    status, answer, _ = client.request("POST", "/recommendations", body)
    assert status == 422 and answer["error"]


@pytest.mark.parametrize("path", ["/recommendations", "/explanations"])
def test_then_beside_a_history_is_told_where_its_items_belong(client: Client, path: str) -> None:
    body = {"history": ["item-01"], "then": ["item-02"], "items": ["item-03"]}
    if path == "/recommendations":
        del body["items"]
    status, answer, _ = client.request("POST", path, body)
    assert status == 422 and "put these items at the end of `history`" in answer["error"]


@pytest.mark.parametrize("packed", ["gzip", "br", "gzip, identity"])
def test_a_packed_body_is_refused_as_such(client: Client, engine: Engine, packed: str) -> None:
    body = gzip.compress(b'{"user": "ann", "item": "x"}')
    status, answer, _ = client.request("POST", "/events", body, {"Content-Encoding": packed})
    assert status == 415 and f"Content-Encoding: {packed}" in answer["error"] and engine.store.users() == []
    plain = b'{"user": "ann", "item": "x"}'
    assert client.request("POST", "/events", plain, {"Content-Encoding": "identity"})[0] == 200


def test_a_body_that_is_too_large_or_too_slow_is_cut_off(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        guard.Guard.__init__, "__kwdefaults__", {"body_bytes": 5000, "body_seconds": 0.3, "buffered_bytes": 1 << 20}
    )
    with serving(engine) as client:
        assert client.request("POST", "/events", b" " * 4999)[0] == 422
        assert client.request("POST", "/events", b" " * 5001)[0] == 413
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as slow:
            slow.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            assert slow.recv(1000).startswith(b"HTTP/1.1 408")


def test_only_json_is_taken_so_that_no_page_elsewhere_can_send_events(client: Client, engine: Engine) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        body = b'{"user": "ann", "item": "x"}'
        status, answer, _ = client.request("POST", "/events", body, {"Content-Type": kind})
        assert status == 422 and answer["error"] and engine.store.users() == []
    status, answer, _ = client.request("GET", "/healthz", headers={"Host": "evil.example"})
    assert status == 400 and "host" in answer["error"]
    for name in ("localhost", "127.0.0.1:80", "[::1]:8000"):
        assert client.request("GET", "/healthz", headers={"Host": name})[0] == 200


def test_keys_for_reading_and_writing(engine: Engine) -> None:
    with serving(engine, read_keys=["reads"], write_keys=["older", "writes"]) as nobody:
        reader, writer, wrong = (Client(nobody.port, key) for key in ("reads", "writes", "wrong"))
        assert Client(nobody.port, "older").request("DELETE", "/users/ann")[0] == 404  # while keys are changed
        event = {"user": "ann", "item": "item-01"}
        for client, allowed in ((nobody, (401, 401)), (wrong, (401, 401)), (reader, (401, 200)), (writer, (200, 200))):
            assert client.request("POST", "/events", event)[0] == allowed[0]
            for path in ("/recommendations?user=ann", "/metrics"):
                assert client.request("GET", path)[0] == allowed[1]
        assert reader.request("DELETE", "/users/ann")[0] == 401
        assert reader.request("GET", "/users/ann")[0] == writer.request("DELETE", "/users/ann")[0] == 200
        _, answer, headers = nobody.request("GET", "/recommendations?user=ann")
        assert headers["www-authenticate"] == "Bearer" and "needs a key" in answer["error"]
        for client, what in ((wrong, "GET"), (reader, "DELETE")):
            assert "this key is wrong, or one for reading" in client.request(what, "/users/ann")[1]["error"]
        assert nobody.request("GET", "/healthz", headers={"Host": "shop.example"})[0] == 200
    for one in ("read_keys", "write_keys"):  # the other half would be open
        with pytest.raises(ValueError, match="none at all"):
            create_app(Service(engine), **{one: ["a key"]})
    with pytest.raises(ValueError, match="must not be one for writing"):
        create_app(Service(engine), read_keys=["a", "b"], write_keys=["c", "b"])


def test_health(client: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz") == {"status": "alive"}
    assert client.get("/readyz")["digest"] == engine.artifact.digest

    def broken(*_: object) -> None:
        raise StoreError("the disk of /some/secret/place is full")

    monkeypatch.setattr(engine.store, "summary", broken)
    status, answer, headers = client.request("GET", "/readyz")
    assert status == 503 and "secret" not in answer["error"] and headers["retry-after"] == "5"
    assert client.get("/healthz") == {"status": "alive"}


def test_an_unforeseen_error_leaks_nothing(client: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(engine.store, "summary", broken)
    status, answer, headers = client.request("GET", "/users/ann")
    assert status == 500 and "secret" not in str(answer)
    assert headers["x-content-type-options"] == "nosniff" and "'self'" in headers["content-security-policy"]


def test_what_is_not_there_is_404(client: Client) -> None:
    for method, path in (("GET", "/nothing"), ("GET", "/page/app.py"), ("PUT", "/events"), ("POST", "/users")):
        status, answer, _ = client.request(method, path)
        assert status in (404, 405) and set(answer) == {"error"}
    _, _, headers = client.request("PUT", "/recommendations")
    assert headers["allow"] == "GET, POST"
