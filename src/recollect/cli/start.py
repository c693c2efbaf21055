"""The first moment of the command: what cannot wait for the imports of the command line, which take a while."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after SIGINT and SIGTERM, as shells have them."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    serving = sys.argv[1:2] == ["serve"]
    # SIGHUP asks a server to load its model again, and kills a process that has said nothing of it. This one has not
    # begun to load a model, so there is nothing to do again; `serve` puts its own handler in the place of this.
    if serving and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # To the first process of a container the kernel hands on no SIGTERM that nobody handles.
    if serving or os.getpid() == 1:
        signal.signal(signal.SIGTERM, _end)
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell has it ignored
    if interruptible:
        signal.signal(signal.SIGINT, _end_at_once)
    from recollect.cli.main import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _end(number: int, frame: FrameType | None) -> None:
    """End in order: what is open is closed on the way out."""
    os.write(2, b"error: terminated\n")
    raise SystemExit(TERMINATED)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """Nothing is open yet, and an exception in the middle of an import may come out as another one."""
    os.write(2, b"error: interrupted\n")
    os._exit(INTERRUPTED)
