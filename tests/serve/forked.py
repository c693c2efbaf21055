"""Processes that start at once: forked from one that has loaded torch and the like, which takes a new one seconds.

They are processes of their own all the same, to be killed at any moment. Nothing of the tests is loaded in them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import runpy
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recollect.cli import main

from .http.running import Client

LOADED = [
    "recollect.artifact",
    "recollect.models.gru4rec",
    "recollect.serve.http.app",
    "recollect.serve.http.listening",
    "recollect.serve.stores.opening",
    "recollect.study.scoring",
]

Process = multiprocessing.process.BaseProcess


def forked(target: Callable[..., object], *arguments: Any) -> Process:
    """A process that runs a function of an installed package."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def forked_script(script: Path, **values: object) -> Process:
    """A process that runs a script, which finds the values as global names."""
    return forked(runpy.run_path, str(script), values)


@contextlib.contextmanager
def forked_server(run: Path, store: Path | str) -> Iterator[tuple[Process, Client]]:
    """`recollect serve` in such a process, once it is ready; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = forked(main.run, ["serve", str(run), "--store", str(store), "--port", str(port)])
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if Client(port).request("GET", "/readyz")[0] == 200:
                    break
            assert process.is_alive() and time.monotonic() < deadline, "it has not become ready"
            time.sleep(0.01)
        yield process, Client(port)
    finally:
        process.kill()
        process.join()
