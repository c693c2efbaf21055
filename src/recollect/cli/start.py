"""The first moment of the command: what cannot wait for the imports of the command line, which take a while."""

import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # SIGHUP asks a server to load its model again, and kills a process that has said nothing of it. This one has not
    # begun to load a model, so there is nothing to do again; `serve` puts its own handler in the place of this.
    if sys.argv[1:2] == ["serve"] and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from recollect.cli.main import main as run

    run()
