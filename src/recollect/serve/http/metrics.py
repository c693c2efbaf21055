"""Counters and timings of the server, for Prometheus."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from recollect.serve.http.guard import App, Message, Receive, Scope, Send
from recollect.serve.service import Service
from recollect.serve.stores.contract import StoreError

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one server; `text` is the response of `/metrics`."""

    def __init__(self, service: Service) -> None:
        self._registry = registry = CollectorRegistry()
        self._events = Counter(
            "recollect_events",
            "Events received, by outcome and whether the model knows the item",
            ["outcome", "known"],
            registry=registry,
        )
        self._lists = Counter("recollect_lists", "Ranked lists, by source", ["source"], registry=registry)
        self._requests = Histogram(
            "recollect_request_seconds",
            "Time from request to response",
            ["route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        for names, what, value in (
            (("requests_waiting", "waiting"), "Requests that are waiting", lambda: service.waiting),
            (("users_behind", "behind"), "Users whose memories lack events", lambda: service.behind),
            (
                ("cached_users", "at_hand"),
                "Users whose memories are in this process",
                lambda: service.engine.cached_users,
            ),
            (("memory_bytes",), "Size of a saved memory", lambda: service.engine.bytes_per_user),
            (
                ("known_events_share",),
                "Share of the newest events in the store that the model knew when it came into use",
                lambda: service.coverage.share,
            ),
            (
                ("reload_failed",),
                "1 if the last SIGHUP left the model as it was",
                lambda: service.reload_failed,
            ),
            (("writes_refused",), "1 if events are refused, as while the disk is full", lambda: _refused(service)),
        ):
            current, *deprecated = (f"recollect_{name}" for name in names)
            Gauge(current, what, registry=registry).set_function(value)
            for name in deprecated:
                Gauge(name, f"Deprecated: {current}", registry=registry).set_function(value)

    def count_events(self, received: Iterable[tuple[str, bool]]) -> None:
        """For each event its outcome, and whether the model knows the item."""
        for (outcome, known), count in Tally(received).items():
            self._events.labels(outcome, "yes" if known else "no").inc(count)

    def count_list(self, source: str) -> None:
        self._lists.labels(source).inc()

    def time_request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _refused(service: Service) -> bool:
    try:
        return service.refusal() is not None
    except StoreError:
        return True


class Timing:
    """ASGI middleware: how long each request took, by route."""

    def __init__(self, app: App, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

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
            self._metrics.time_request(route, status, time.perf_counter() - begun)
