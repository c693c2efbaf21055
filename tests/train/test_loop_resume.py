"""Interrupted means resumable: by SIGKILL, by Ctrl-C, by an error, a run ends as one that was never stopped."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from recollect.train.fit import CHECKPOINT
from recollect.train.loop import Interrupted
from recollect.train.progress import Silent

from ..device import ACCELERATED, again
from . import material
from .material import SMALL, run, weights

ADRIFT = 0.01
"""How far two runs of two epochs may come apart where sums are taken in no fixed order; what is lost does far more."""


class Stops(Silent):
    """Interrupts at one step, and notes where a run was taken up."""

    def __init__(self, at: int, by: signal.Signals | None = None) -> None:
        self.at, self.by, self.steps, self.taken_up = at, by, 0, ""

    def resumed(self, place: Any) -> None:
        self.taken_up = f"{place.epoch}.{place.step}"

    def step(self, place: Any, steps: int) -> None:
        self.steps += 1
        if place.steps_done == self.at:
            if self.by is None:
                raise ZeroDivisionError("something broke")
            os.kill(os.getpid(), self.by)


def same(one: Any, two: Any) -> None:
    a, b = weights(one), weights(two)
    assert set(a) == set(b) and all(again(a[name], b[name], ADRIFT) for name in a)
    plain = [{key: row[key] for key in ("epoch", "loss", "targets", "ndcg@10")} for row in one.history]
    if ACCELERATED:
        for mine, theirs in zip(plain, two.history, strict=True):
            assert mine["targets"] == theirs["targets"] and mine["loss"] == pytest.approx(theirs["loss"], rel=ADRIFT)
        return
    assert plain == [{key: row[key] for key in plain[0]} for row in two.history]
    assert one.best_epoch == two.best_epoch


@functools.cache
def never_stopped(name: str) -> Any:
    """The run that every other of this model has to end as."""
    return run(name)


def place_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["run"])["progress"] | {
            "carried": sum(name.startswith("carried.") for name in file.keys())  # noqa: SIM118
        }


@pytest.mark.parametrize("name", ["xlstm-lsr", pytest.param("mlstm4rec", marks=pytest.mark.long)])
def test_killed_in_mid_epoch_and_resumed_it_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    """Killed twice at times nobody chose, the second time in a resumed run."""
    path = tmp_path / CHECKPOINT
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    reached = -1
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, material.__file__, name, str(tmp_path)], env=environment, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 120
        while not (path.is_file() and place_of(path)["steps_done"] > reached):
            assert child.poll() is None, (
                f"it ended before it was killed: {child.stderr and child.stderr.read()[-2000:]!r}"
            )
            assert time.monotonic() < deadline, "no checkpoint in two minutes"
            time.sleep(0.01)
        time.sleep(random.random() * 0.4)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        reached = place_of(path)["steps_done"]
    place = place_of(path)
    assert place["epoch"] < 2
    report = Stops(-1)
    resumed = run(name, tmp_path, report, resume=True, checkpoint_minutes=0)
    assert report.taken_up == f"{place['epoch']}.{place['step']}"
    same(resumed, never_stopped(name))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("at", [1, 7, 20])
def test_an_error_in_mid_epoch_costs_nothing(name: str, at: int, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(name, tmp_path, Stops(at + 1), checkpoint_minutes=0)  # the step that breaks is not saved
    place = place_of(tmp_path / CHECKPOINT)
    assert place["steps_done"] == at
    same(run(name, tmp_path, resume=True, checkpoint_minutes=0), never_stopped(name))


def test_states_that_are_carried_are_in_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run("mlstm4rec", tmp_path, Stops(8), checkpoint_minutes=0)
    assert place_of(tmp_path / CHECKPOINT)["carried"] > 0


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_leaves_a_checkpoint(by: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(by)
    with pytest.raises(Interrupted):
        run("mlstm4rec", tmp_path, Stops(5, by), checkpoint_minutes=60)
    assert signal.getsignal(by) is before, "the caller's handler is not back"
    assert place_of(tmp_path / CHECKPOINT)["steps_done"] >= 5
    same(run("mlstm4rec", tmp_path, resume=True, checkpoint_minutes=60), never_stopped("mlstm4rec"))


def test_a_second_signal_is_not_swallowed(tmp_path: Path) -> None:
    class Impatient(Stops):
        def step(self, place: Any, steps: int) -> None:
            """Two signals, the second when the first has been taken: two at once may reach Python as one."""
            taking = signal.getsignal(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            while signal.getsignal(signal.SIGINT) is taking:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)  # ended by the KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("gru4rec", tmp_path, Impatient(1), checkpoint_minutes=60)


def test_a_signal_in_validation_ends_the_run_after_it(tmp_path: Path) -> None:
    class AtEpochEnd(Silent):
        def epoch(self, place: Any, row: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        run("gru4rec", tmp_path, AtEpochEnd(), checkpoint_minutes=60)
    place = place_of(tmp_path / CHECKPOINT)
    assert (place["epoch"], place["step"]) == (1, 0)
    same(run("gru4rec", tmp_path, resume=True, checkpoint_minutes=60), never_stopped("gru4rec"))


def test_resuming_a_finished_run_gives_it_again(tmp_path: Path) -> None:
    done, report = run("gru4rec", tmp_path), Stops(-1)
    again = run("gru4rec", tmp_path, report, resume=True)
    assert report.steps == 0
    same(done, again)


def test_resuming_what_never_began_begins_and_says_so(tmp_path: Path) -> None:
    class Listens(Silent):
        notes: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.notes.append(text)

    same(run("gru4rec", tmp_path, Listens(), resume=True), never_stopped("gru4rec"))
    assert any("no checkpoint" in note and "starting from the beginning" in note for note in Listens.notes)


def test_a_kill_while_writing_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recollect.train import checkpoint

    with pytest.raises(ZeroDivisionError):
        run("gru4rec", tmp_path, Stops(4), checkpoint_minutes=0)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def torn(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half of a fi")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_file", torn)
    with pytest.raises(KeyboardInterrupt):
        run("gru4rec", tmp_path, resume=True, checkpoint_minutes=0)
    monkeypatch.undo()
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    same(run("gru4rec", tmp_path, resume=True, checkpoint_minutes=0), never_stopped("gru4rec"))


def test_the_average_of_the_weights_is_taken_up_too(tmp_path: Path) -> None:
    straight = run("gru4rec", average=0.9)
    with pytest.raises(Interrupted):
        run("gru4rec", tmp_path, Stops(13, signal.SIGINT), average=0.9)
    same(run("gru4rec", tmp_path, average=0.9, resume=True), straight)
