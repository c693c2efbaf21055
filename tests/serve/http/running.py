"""A real server on a free port of this machine, and a client that knows nothing of the code behind it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from recollect.serve.engine import Engine
from recollect.serve.http.app import create_app
from recollect.serve.http.listening import configuration
from recollect.serve.service import Service

from ...conformance.material import START
from ..material import ITEMS


class Client:
    """Requests to one port. `key`: sent as a bearer token."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self.port, self.key = port, key

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """status, the answer (JSON decoded), headers (lower case). Bytes are sent as they are, all else as JSON."""
        sent = dict(headers or {})
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("content-type", "")
            return (
                answer.status,
                json.loads(text) if kind.startswith("application/json") else text.decode(),
                {name.lower(): value for name, value in answer.headers.items()},
            )

    def get(self, path: str) -> Any:
        status, answer, _ = self.request("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: object) -> Any:
        status, answer, _ = self.request("POST", path, body)
        assert status == 200, answer
        return answer


def events(count: int, user: str = "ann", first: int = 0) -> list[dict[str, object]]:
    """Events of a user, one a second, as `POST /events` takes them."""
    return [
        {"user": user, "item": str(ITEMS.ids[7 * n % 37]), "time": START + n, "id": f"id-{n}"}
        for n in range(first, first + count)
    ]


@contextlib.contextmanager
def serving(engine: Engine, **options: Any) -> Iterator[Client]:
    """The server as `recollect serve` starts it, in a thread."""
    app = create_app(Service(engine, save_seconds=0.2), **options)
    server = uvicorn.Server(configuration(app, "127.0.0.1", 0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield Client(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
