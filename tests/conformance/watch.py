"""Catches a constructor that reads: files, sockets, processes, the environment, the command line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from unittest import mock


class _Forbidden(dict):  # type: ignore[type-arg]
    """An environment that may not be looked at."""

    def __getattribute__(self, name: str) -> object:
        if name in {"get", "items", "keys", "copy"}:
            raise AssertionError("the environment was read while a model was built")
        return super().__getattribute__(name)

    def __getitem__(self, key: str) -> str:
        raise AssertionError(f"the environment variable {key} was read while a model was built")

    def __contains__(self, key: object) -> bool:
        raise AssertionError(f"the environment variable {key} was looked for while a model was built")


class _NoArguments(list):  # type: ignore[type-arg]
    """A command line that may not be looked at."""

    def __getitem__(self, index: object) -> str:
        raise AssertionError("the command line was read while a model was built")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the command line was read while a model was built")


_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in {"open", "os.listdir", "os.scandir", "socket.connect", "subprocess.Popen"}:
        raise AssertionError(f"{event} {arguments[:1]} while a model was built")


sys.addaudithook(_watch)


@contextlib.contextmanager
def nothing_read() -> Iterator[None]:
    """Inside, reading anything is an AssertionError."""
    global _watching
    with mock.patch.object(os, "environ", _Forbidden()), mock.patch.object(sys, "argv", _NoArguments()):
        _watching = True
        try:
            yield
        finally:
            _watching = False
