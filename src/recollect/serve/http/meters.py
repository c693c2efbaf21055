"""What the server counts and times, for Prometheus to fetch."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from recollect.serve.http.guard import App, Message, Receive, Scope, Send
from recollect.serve.service import Service

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Meters:
    """The figures of one server; `text` is what `/metrics` answers."""

    def __init__(self, service: Service) -> None:
        self._registry = registry = CollectorRegistry()
        self._events = Counter(
            "recollect_events",
            "Events taken in, by outcome and whether the model knows the item",
            ["outcome", "known"],
            registry=registry,
        )
        self._lists = Counter("recollect_lists", "Lists given, by what they rest on", ["source"], registry=registry)
        self._requests = Histogram(
            "recollect_request_seconds", "Time to answer", ["route", "status"], buckets=SECONDS, registry=registry
        )
        for name, what, value in (
            ("waiting", "Requests that wait for their turn", lambda: service.waiting),
            ("behind", "Users whose memories are yet to be advanced", lambda: service.behind),
            ("at_hand", "Memories in this process", lambda: service.engine.at_hand),
            ("memory_bytes", "What the memory of a user takes when saved", lambda: service.engine.bytes_per_user),
        ):
            Gauge(f"recollect_{name}", what, registry=registry).set_function(value)

    def events(self, taken: Iterable[tuple[str, bool]]) -> None:
        """For each event its outcome, and whether the model knows the item."""
        for (outcome, known), count in Tally(taken).items():
            self._events.labels(outcome, "yes" if known else "no").inc(count)

    def list_given(self, source: str) -> None:
        self._lists.labels(source).inc()

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Timed:
    """ASGI middleware: how long each request took, by the route that answered it."""

    def __init__(self, app: App, *, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._meters.request(route, status, time.perf_counter() - begun)
