"""SIGHUP, from the start of the process to its end: it asks for the model to be loaded again, and never kills.

Loading a model takes seconds, and until a handler is there SIGHUP would end the process. One that comes before the
server listens is remembered: the model that is just being loaded may be the one that was replaced.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class ReloadSignal:
    """A context in which SIGHUP is handled, where the system has it. To be entered in the main thread."""

    def __init__(self) -> None:
        self._pending = False
        self._number: int | None = getattr(signal, "SIGHUP", None)
        self._before: signal._HANDLER = None

    def __enter__(self) -> ReloadSignal:
        if threading.current_thread() is not threading.main_thread():
            self._number = None
        if self._number is not None:
            self._before = signal.signal(self._number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._number is not None:
            signal.signal(self._number, self._before)

    def handle(self, reload: Callable[[], object]) -> None:
        """Call `reload` in the running event loop for each signal from now on, and at once if one came before."""
        if self._number is not None:
            asyncio.get_running_loop().add_signal_handler(self._number, reload)
        if self._pending:
            reload()

    def ignore(self) -> None:
        """Once the event loop is closed, the signal does nothing."""
        if self._number is not None:
            signal.signal(self._number, signal.SIG_IGN)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._pending = True
