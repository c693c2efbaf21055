"""The HTTP interface under abuse: whatever is sent, it answers as documented, never with a 5xx, and does not grow."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recollect.serve.engine import Engine
from recollect.serve.http import listening
from recollect.serve.stores.embedded import EmbeddedStore

from ..material import artifact
from .running import Client, events, serving

pytestmark = pytest.mark.long

BODIES = 10_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with EmbeddedStore(tmp_path / "store") as store:
        yield Engine(artifact("gru4rec"), store)


@pytest.mark.parametrize("keys", [{}, {"read_keys": ["reads"], "write_keys": ["writes"]}], ids=["open", "keys"])
def test_every_answer_is_as_the_openapi_document_says(
    engine: Engine, keys: dict[str, list[str]], tmp_path: Path
) -> None:
    schemathesis = Path(sys.executable).with_name("schemathesis")
    assert schemathesis.exists(), "pip install -e '.[dev]' brings it"
    with serving(engine, **keys) as client:
        url = f"http://127.0.0.1:{client.port}/openapi.json"
        command = [schemathesis, "run", url, "--seed", "1", "--max-examples", "50", "--checks", "all"]
        # Values that the document allows may be refused all the same: a time in the future, an id of too many bytes.
        command += ["--exclude-checks", "positive_data_acceptance"]
        if keys:
            command += ["-H", "Authorization: Bearer writes"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-5000:]
        assert " generated" in done.stdout and "13 selected" in done.stdout


def spoilt(chance: random.Random) -> bytes:
    """A body that was once an event, or never one."""
    body = json.dumps(chance.choice([events(1)[0], {"events": events(3)}, {"user": "a", "k": 3}, {"history": ["a"]}]))
    data = bytearray(body.encode())
    match chance.randrange(6):
        case 0:  # bytes changed
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 1:  # cut off
            del data[chance.randrange(len(data)) :]
        case 2:  # doubled, as a proxy that repeats does
            data = data * 2
        case 3:  # another type in the place of a value
            value = chance.choice([None, True, 1e308, -1, [], {}, "\0", "x" * 5000, [[[]]], {"a": {"b": {}}}, 2**70])
            decoded = json.loads(bytes(data))
            decoded[chance.choice(list(decoded))] = value
            data = bytearray(json.dumps(decoded).encode())
        case 4:  # deep
            data = bytearray(chance.choice([b"[", b'{"a":']) * chance.randint(1, 20_000))
        case 5:  # noise
            data = bytearray(chance.randbytes(chance.randint(0, 3000)))
    return bytes(data)


def test_ten_thousand_malformed_bodies(engine: Engine) -> None:
    chance = random.Random(7)
    with serving(engine) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        statuses: dict[int, int] = {}
        for number in range(BODIES):
            if number == BODIES // 5:
                before = resident()
            connection.request(
                "POST",
                chance.choice(["/events", "/recommendations"]),
                spoilt(chance),
                {
                    "Content-Type": chance.choice(
                        ["application/json"] * 9 + ["text/html", "", "application/xml; charset=x"]
                    )
                },
            )
            answer = connection.getresponse()
            said = answer.read()
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert answer.status in (200, 400, 409, 413, 415, 422), (answer.status, said)
            assert b"Traceback" not in said and len(said) < 200_000
        assert statuses[422] > BODIES // 4
        assert resident() - before < 20e6, "it grows with what is thrown at it"
        assert client.get("/readyz")["status"] == "ready"


def test_hundreds_of_idle_and_slow_connections_stop_nobody(engine: Engine) -> None:
    with serving(engine) as client:
        begun = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
        held = []
        for number in range(300):
            one = socket.create_connection(("127.0.0.1", client.port))
            one.sendall([b"", b"GET /users?pre", begun][number % 3])
            held.append(one)
        start = time.monotonic()
        client.post("/events", {"events": events(3)})
        assert client.get("/recommendations?user=ann")["events"] == 3
        assert time.monotonic() - start < 5
        for one in held[2::3]:  # a body that does not come is given up
            one.settimeout(30)
            assert one.recv(100).startswith(b"HTTP/1.1 408")
        for one in held:
            one.close()
        assert client.get("/readyz")["status"] == "ready"


def test_a_head_that_does_not_come_is_given_up_however_it_trickles(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.5)
    with serving(engine) as client:
        whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        trickling, second, silent = (socket.create_connection(("127.0.0.1", client.port)) for _ in range(3))
        for _ in range(3):  # each request has time of its own
            second.sendall(whole)
            answer = b""
            while not answer.endswith(b"}"):
                answer += second.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.3)
        assert all(map(is_given_up, (trickling, second, silent)))
        assert client.get("/readyz")["status"] == "ready"


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="whether a connection stands is asked of Linux")
def test_whoever_reads_no_answers_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "READ_SECONDS", 0.5)
    with serving(engine) as client, socket.create_connection(("127.0.0.1", client.port)) as one:
        one.setblocking(False)
        established, deadline = 1, time.monotonic() + 20
        while one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == established:
            assert time.monotonic() < deadline
            with contextlib.suppress(OSError):
                one.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
            time.sleep(0.05)
        assert client.get("/readyz")["status"] == "ready"


def test_wrong_keys_are_all_refused(engine: Engine) -> None:
    chance = random.Random(3)
    with serving(engine, read_keys=["reads-reads-reads"], write_keys=["writes-writes-writes"]) as nobody:
        for _ in range(300):
            near = bytearray(chance.choice([b"reads-reads-reads", b"writes-writes-writes"]))
            near[chance.randrange(len(near))] ^= 1 << chance.randrange(7)
            key = bytes(byte if 32 < byte < 127 else 45 for byte in near).decode()
            if key in ("reads-reads-reads", "writes-writes-writes"):
                continue
            for method, path in (("GET", "/users"), ("DELETE", "/users/ann"), ("GET", "/metrics")):
                assert Client(nobody.port, key).request(method, path)[0] == 401
        for header in ("", "Bearer", "Bearer ", "Basic cmVhZHM6", "bearer\treads-reads-reads", "\xff\xfe"):
            status, _, _ = nobody.request("GET", "/users", headers={"Authorization": header})
            assert status == 401


def is_given_up(one: socket.socket) -> bool:
    """Whether the server closes a connection over which a letter comes now and then."""
    with contextlib.closing(one):
        one.settimeout(0.05)
        for _ in range(200):
            with contextlib.suppress(TimeoutError):
                try:
                    if one.recv(1000) == b"":
                        return True
                except ConnectionError:
                    return True
            with contextlib.suppress(ConnectionError):
                one.sendall(b"G")
    return False


def resident() -> int:
    """Bytes of memory that this process holds, the server's among them."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
