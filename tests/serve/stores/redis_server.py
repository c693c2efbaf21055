"""A real Redis or Valkey server for tests, on a free port of this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = next(filter(None, map(shutil.which, ("valkey-server", "redis-server"))), None)


class Server:
    """A server on a free port that keeps its file in a folder, and can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        needed()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._command = [
            str(SERVER),
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(folder),
            "--save",
            "",
            *options,
        ]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
                one.sendall(b"PING\r\n")
                if one.recv(10).startswith((b"+PONG", b"-NOAUTH")):  # not while it reads its file
                    return
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def needed() -> None:
    """Skip the test that asks for a server where none can be started."""
    if SERVER is None:
        pytest.skip("no server: apt-get install redis-server, or valkey")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needed()
    with Server(tmp_path_factory.mktemp("redis"), *DURABLE) as one:
        yield one
