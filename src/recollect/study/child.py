"""One run in a process of its own: trained, kept, measured; what became of it is one line on standard output.

So its peak memory is its own, and a crash or the system's killer takes no other run with it. Its order is the first
line of standard input. When that ends, whoever gave the order has stopped or is gone, and this stops as by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import torch

from recollect.artifact import SETTINGS, ArtifactError, is_artifact, load
from recollect.config import ConfigError
from recollect.data import prepared
from recollect.data.log import DataError
from recollect.evaluate.metrics import measure
from recollect.study.run import Stopped, resume, run
from recollect.study.scoring import TEST, Part, note_scoring, score
from recollect.study.settings import RunSettings, settings_from, to_plain
from recollect.train.device import device_of
from recollect.train.progress import Console, Reporter

LONGEST = 20_000
"""Characters of a traceback that are passed on; a pipe holds some more than that."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be done: the run, where the log lies prepared, and which targets are ranked at the end."""

    settings: RunSettings
    folder: Path
    log: Path
    on: Part
    said: tuple[str, ...] = ()
    """What has been said of the log already, and need not be said by every run."""

    def to_json(self) -> str:
        paths = {"folder": str(self.folder), "log": str(self.log)}
        return json.dumps({"settings": to_plain(self.settings), **paths, "on": self.on, "said": self.said})

    @classmethod
    def from_json(cls, text: str) -> Order:
        given = json.loads(text)
        settings = settings_from(given["settings"])
        return cls(settings, Path(given["folder"]), Path(given["log"]), given["on"], tuple(given["said"]))


class Brief(Console):
    """Leaves out what has been said already."""

    def __init__(self, said: tuple[str, ...], epochs: int) -> None:
        super().__init__(epochs)
        self.said = said

    def note(self, text: str) -> None:
        if text not in self.said:
            super().note(text)


def work(order: Order, report: Reporter) -> None:
    """Train what is not trained, go on with what was interrupted, and score test once."""
    log, folder = prepared.load(order.log), order.folder
    if not is_artifact(folder):
        if (folder / SETTINGS).is_file():
            resume(folder, log=log, report=report)
        else:
            run(order.settings, folder, log=log, report=report)
    if order.on == "test" and not (folder / TEST).is_file():
        ledger = score(load(folder, device=device_of(order.settings.train)), log)
        note_scoring(folder, ledger, measure(ledger))  # first: a scoring may be noted and lost, never kept unnoted
        ledger.save(folder / TEST)


def outcome_of(error: BaseException) -> dict[str, Any]:
    """What is said of a run that did not end well. A model that lacks an optional package is no failure."""
    if isinstance(error, Stopped | KeyboardInterrupt):
        return {"state": "stopped"}
    if isinstance(error, ConfigError | ImportError) and _lacks_a_package(error):
        return {"state": "skipped", "reason": " ".join(str(error).split())}
    if isinstance(error, ConfigError | DataError | ArtifactError):
        return {"state": "failed", "reason": str(error)}
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        reason = "not enough memory; try a smaller train.batches.tokens or model.width"
    else:
        reason = f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:500]}"
    trace = "".join(traceback.format_exception(error))
    return {"state": "failed", "reason": reason, "trace": trace[-LONGEST:]}


def _lacks_a_package(error: BaseException | None) -> bool:
    """An import failed, or the error stems from one that did."""
    while error is not None:
        if isinstance(error, ImportError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _stop_with_whoever_ordered() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def main() -> int:
    answers, sys.stdout = sys.stdout, sys.stderr  # only the last word goes there, whatever a library prints
    outcome: dict[str, Any] = {"state": "done"}
    try:
        order = Order.from_json(sys.stdin.readline())
        threading.Thread(target=_stop_with_whoever_ordered, daemon=True).start()
        report = Brief(order.said, order.settings.train.epochs)
        with contextlib.closing(report):
            work(order, report)
    except BaseException as error:
        outcome = outcome_of(error)
    try:
        print(json.dumps(outcome), file=answers, flush=True)
    except BrokenPipeError:  # whoever ordered is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())
    return {"done": 0, "stopped": 130}.get(outcome["state"], 1)


if __name__ == "__main__":
    sys.exit(main())
