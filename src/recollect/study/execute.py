"""Runs in processes of their own, some at a time: one that fails, crashes or is killed ends none of the others.

A child lives as long as the pipe of its order is open. So Ctrl-C, a crash or a kill of this process end all children
alike, each with its checkpoint kept; and no signal is ever passed on twice, which would end a child at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from recollect.study.child import Order
from recollect.study.plan import Job
from recollect.study.scoring import Part
from recollect.train.device import visible_gpus
from recollect.train.progress import Reporter

CHILD = "recollect.study.child"
"""The module that does one run."""
TICK = 0.1
"""Seconds between two looks at the children."""


class Halted(Exception):
    """Stopped by Ctrl-C; every run under way has kept its checkpoint."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a run has no figures. `skipped`: what the model needs is not installed, which is nobody's mistake."""

    reason: str
    trace: str = ""
    skipped: bool = False

    @property
    def text(self) -> str:
        return f"{'skipped' if self.skipped else 'failed'}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Child:
    """A process at work on a job."""

    job: Job
    process: subprocess.Popen[str]
    gpu: str | None = None
    """The one GPU it may use, as CUDA_VISIBLE_DEVICES names it; None: no choice was made for it."""

    def let_go(self) -> None:
        """Close the pipe that it lives by."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone, and never read its order
            self.process.stdin.close()

    def failure(self) -> Failure | None:
        """What it said last, once it has ended; None if all went well."""
        assert self.process.stdout is not None
        with contextlib.closing(self.process.stdout) as output:
            code, words = self.process.returncode, output.read().splitlines()
        self.let_go()
        try:
            said = json.loads(words[-1])
            state = str(said["state"])
        except (IndexError, ValueError, KeyError, TypeError):
            return Failure(_ended_without_a_word(code))
        if state == "done":
            return None
        if state == "stopped":
            return Failure("it was stopped; its checkpoint is kept, and the same command goes on with it")
        return Failure(str(said["reason"]), str(said.get("trace", "")), skipped=state == "skipped")


def execute(
    jobs: Sequence[Job],
    *,
    total: int,
    log: Path,
    on: Part,
    at_once: int,
    said: Sequence[str],
    report: Reporter,
    ended: Callable[[Job, Failure | None], None],
    keep_open: int | None = None,
) -> None:
    """Do the jobs in order, `at_once` at a time, and tell `ended` of each. Raises Halted after Ctrl-C.

    `total`: how many runs there are with those done before, for the numbers shown. `log`: the prepared log.
    `keep_open`: a descriptor that the children hold open too.
    """
    waiting, running = deque(jobs), list[Child]()
    gpus = visible_gpus() if at_once > 1 else []
    if len(gpus) > 1:
        report.note(f"runs that leave open which GPU they take are spread over {len(gpus)}")
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.popleft()
                report.note(f"{total - len(waiting)} of {total}: {job.label}")
                order = Order(job.settings, job.folder, log, on, tuple(said))
                running.append(_start(job, order, at_once, keep_open, _free(gpus, running, job)))
            time.sleep(TICK)
            for child in [one for one in running if one.process.poll() is not None]:
                running.remove(child)
                failure = child.failure()
                ended(child.job, failure)
                if failure is not None and failure.skipped:  # with another seed it would lack the same
                    waiting = deque(job for job in waiting if job.name != child.job.name)
    except KeyboardInterrupt:
        report.note("stopping after the steps under way; Ctrl-C again ends at once")
        raise Halted("stopped; nothing is lost") from None
    finally:
        _stop(running)


def _free(gpus: Sequence[str], running: Sequence[Child], job: Job) -> str | None:
    """The GPU with the fewest runs on it, for a job that does not name one."""
    if len(gpus) < 2 or job.settings.train.accelerator not in ("auto", "cuda"):
        return None
    return min(gpus, key=lambda gpu: sum(child.gpu == gpu for child in running))


def _start(job: Job, order: Order, at_once: int, keep_open: int | None, gpu: str | None) -> Child:
    """A session of its own, so that a terminal's Ctrl-C reaches this process only."""
    environment = dict(os.environ)
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    output: IO[str] | None = None
    if at_once > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, _processors() // at_once)))
        job.output.parent.mkdir(parents=True, exist_ok=True)
        output = job.output.open("a", encoding="utf-8")
    isolated = [] if {"", os.getcwd()} & set(sys.path) else ["-P"]  # modules are found where this process finds them
    try:
        process = subprocess.Popen(
            [sys.executable, *isolated, "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env=environment,
            start_new_session=True,
            pass_fds=() if keep_open is None else (keep_open,),
        )
    finally:
        if output is not None:
            output.close()  # the child has its own
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it is gone already, and how it ended will say why
        process.stdin.write(order.to_json() + "\n")
        process.stdin.flush()
    return Child(job, process, gpu)


def _stop(running: Sequence[Child]) -> None:
    """End the children and wait: after the step under way, or on another Ctrl-C at once."""
    for child in running:
        child.let_go()
    try:
        while any(child.process.poll() is None for child in running):
            time.sleep(TICK)  # not wait(): a signal just before it goes to sleep would be heard when it wakes
    except KeyboardInterrupt:
        for child in running:
            child.process.kill()
            child.process.wait()


def _ended_without_a_word(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {one.value for one in signal.Signals} else f"signal {-code}"
    hint = "; the system does that where memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
