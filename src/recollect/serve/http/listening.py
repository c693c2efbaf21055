"""The HTTP server: uvicorn, with signals, and with time limits for request heads and for unread responses.

The guard limits how long a body may take. But uvicorn calls the application only once the head of a request is
complete, and by itself waits for that for ever.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from recollect.serve.http.reload_signal import ReloadSignal

HEAD_SECONDS = 10.0
"""The longest time in which the whole head of a request must arrive, also after a connection is opened."""

READ_SECONDS = 30.0
"""The longest time that a client may leave a response unread."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection. It is aborted when a head takes longer than `HEAD_SECONDS`, even if bytes keep arriving, and when
    a response stays unread for `READ_SECONDS`.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A cycle is a request in progress. Meanwhile the guard and the keep-alive of uvicorn set the limits.
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_timer = asyncio.get_running_loop().call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_read_timer()
        super().resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_read_timer()
        super().connection_lost(error)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None


class Server(uvicorn.Server):
    """Reports its address to `say` once it listens, and calls `reload` on SIGHUP."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        say: Callable[[str], None],
        reload: Callable[[], Awaitable[None]],
        reload_signal: ReloadSignal,
    ) -> None:
        super().__init__(config)
        self._say, self._reload, self._reload_signal = say, reload, reload_signal
        self._reloads: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()  # one after the other, so that the last one wins

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            self._reload_signal.handle(self._start_reload)
            self._say(f"listening on http://{shown}:{address[1]}")

    def _start_reload(self) -> None:
        task = asyncio.create_task(self._reload_in_turn())
        self._reloads.add(task)  # a reference, or it may be collected while it runs
        task.add_done_callback(self._reloads.discard)

    async def _reload_in_turn(self) -> None:
        async with self._reloading:
            await self._reload()


def listen(
    app: FastAPI,
    host: str,
    port: int,
    *,
    say: Callable[[str], None],
    reload: Callable[[], Awaitable[None]],
    reload_signal: ReloadSignal,
) -> None:
    """Serve until SIGINT or SIGTERM, then shut down in order."""
    server = Server(configuration(app, host, port), say=say, reload=reload, reload_signal=reload_signal)

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, end)  # until uvicorn handles both, and after, since it raises them again
    server.run()
    reload_signal.ignore()


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
