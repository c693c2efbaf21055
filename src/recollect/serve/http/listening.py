"""How the application is listened to: uvicorn, with signals, and an end to the patience for a request without a head.

The guard bounds how long a body may take; but until the head of a request is there, no application is asked, and
uvicorn by itself waits for ever.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0
"""The longest time that all of a request's head may take to come, and a new connection may be silent."""


READ_SECONDS = 30.0
"""The longest time that a client may leave an answer unread."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection; it is ended when a head takes longer than `HEAD_SECONDS`, however steadily it trickles, and when
    nobody reads what is answered.
    """

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A cycle is a request that is being answered; while one is, the guard and the keep-alive of uvicorn watch.
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._read()
        super().resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop()
        self._read()
        super().connection_lost(error)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class Server(uvicorn.Server):
    """Tells `say` where it listens, once it does, and starts `reload` on SIGHUP."""

    def __init__(
        self, config: uvicorn.Config, *, say: Callable[[str], None], reload: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._say, self._reload = say, reload
        self._reloading = asyncio.Lock()  # one after the other, so that the newest stays

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            self._say(f"listening on http://{shown}:{address[1]}")

    def _hang_up(self) -> None:
        self._task = asyncio.create_task(self._in_turn())  # kept, or it may be collected while it runs

    async def _in_turn(self) -> None:
        async with self._reloading:
            await self._reload()


def listen(
    app: FastAPI, host: str, port: int, *, say: Callable[[str], None], reload: Callable[[], Awaitable[None]]
) -> None:
    """Answer until SIGINT or SIGTERM, and then end in order."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: None)  # the server ends on both, and hands them on to this afterwards
    Server(configuration(app, host, port), say=say, reload=reload).run()


def configuration(app: FastAPI, host: str, port: int, log_level: str = "warning") -> uvicorn.Config:
    """What a `uvicorn.Server` needs to listen on an address; port 0 takes a free one."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level=log_level,
        http=Connection,
        ws="none",
        access_log=False,
        server_header=False,
    )
