"""The guard around the application: it refuses requests that are too large, too slow, or for another host name.

It also catches unexpected errors: they are logged, and the response tells nothing about them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES, BODY_SECONDS = 8 << 20, 10.0
"""The largest body accepted, and the longest time in which all of it must arrive."""

BUFFERED_BYTES = 256 << 20
"""What all bodies may take together while they arrive: many slow ones must not fill the memory."""

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
]
"""Sent with every response; the page loads nothing from other servers."""

_log = logging.getLogger(__name__)


class _TooLargeError(Exception):
    """This body is too large; `more`: and has not arrived whole."""

    def __init__(self, more: bool) -> None:
        super().__init__()
        self.more = more


class _TooManyError(Exception):
    """All bodies together are too large."""


class Guard:
    """ASGI middleware. `hosts`: host names that a request may be for; None for any.

    A server without keys responds to everyone who reaches it. A browser that another site has pointed here under that
    site's name (DNS rebinding) must not be one of them, so only requests for the server's own names are processed.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Sequence[str] | None,
        body_bytes: int = BODY_BYTES,
        body_seconds: float = BODY_SECONDS,
        buffered_bytes: int = BUFFERED_BYTES,
    ) -> None:
        self._app, self._hosts = app, hosts
        self._bytes, self._seconds = body_bytes, body_seconds
        self._buffered_limit, self._buffered = buffered_bytes, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        headers = {name.lower(): value for name, value in scope["headers"]}
        if self._hosts is not None and _host(headers.get(b"host", b"")) not in self._hosts:
            await _refuse(sending, 400, "this server does not respond to that host name")
            return
        if any(sign < " " for sign in scope["path"]):
            # A path is matched up to a line end at its end: what is asked of `a\n` would be done to `a`.
            await _refuse(sending, 422, "the path holds a control character")
            return
        packed = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        if packed not in ("", "identity"):
            await _refuse(sending, 415, f"the body is sent with Content-Encoding: {packed[:32]}; send it as it is")
            return
        try:
            body = await asyncio.wait_for(self._body(receive), self._seconds)
        except TimeoutError:
            await _refuse(sending, 408, f"the body did not come within {self._seconds:g} seconds")
            return
        except _TooLargeError as error:
            if error.more:  # a client reads a response only when it has sent its request
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(_discard_rest(receive), self._seconds)
            await _refuse(sending, 413, f"the body is larger than {self._bytes:,} bytes")
            return
        except _TooManyError:
            await _refuse(sending, 503, "too many large requests are arriving; try again in a moment")
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receiving() -> Message:
            return messages.pop() if messages else await receive()

        try:
            await self._app(scope, receiving, sending)
        except Exception:
            _log.exception("a request failed unexpectedly")
            if started:
                raise
            await _refuse(sending, 500, "an unexpected error; the server's log has it")

    async def _body(self, receive: Receive) -> bytes:
        """The whole body. Raises _TooLargeError, or _TooManyError where others take the room."""
        parts, size, more = [], 0, True
        try:
            while more:
                message = await receive()
                part = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(part)
                self._buffered += len(part)
                if size > self._bytes:
                    raise _TooLargeError(more)
                if self._buffered > self._buffered_limit:
                    raise _TooManyError
                parts.append(part)
            return b"".join(parts)
        finally:
            self._buffered -= size


def _host(value: bytes) -> str:
    """The name in a Host header, without its port."""
    name = value.decode("latin-1").lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


async def _discard_rest(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
