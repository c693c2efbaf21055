"""`recollect train` from a file to a folder, resumed from the folder alone, and its results for a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import recollect as package
from recollect.artifact import load
from recollect.train.fit import CHECKPOINT

from .conftest import TINY, Command


def test_json_is_all_that_stands_on_stdout(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    said = recollect("train", "markov", "--data", log_file, "--out", tmp_path / "run", "--seen", "allowed", "--json")
    assert said.code == 0
    assert said.json["folder"] == str(tmp_path / "run") and "seen allowed" in said.json["protocol"]
    assert 0 <= said.json["validation"]["values"]["ndcg@10"] <= 1
    assert "dropped" not in said.out and "30 users" in said.err


def test_it_says_what_to_type_next(
    recollect: Command, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = recollect("train", "popularity", "--data", log_file)
    assert said.code == 0 and "HR@10" in said.out and "split loo, validation" in said.out
    (line,) = (line for line in said.out.splitlines() if "recollect evaluate" in line)
    assert recollect(*line.split()[1:]).code == 0


def test_a_run_can_be_made_again_from_its_settings(recollect: Command, trained: Path, tmp_path: Path) -> None:
    said = recollect("train", "--config", trained / "run.toml", "--out", tmp_path / "again")
    assert said.code == 0
    for name, tensor in load(trained).model.tensors().items():
        assert torch.equal(tensor, load(tmp_path / "again").model.tensors()[name])


def test_a_taken_folder_is_left_alone(recollect: Command, trained: Path, log_file: Path) -> None:
    before = load(trained).digest
    said = recollect("train", "popularity", "--data", log_file, "--out", trained)
    assert said.code == 1 and "a trained model is there already" in said.error
    assert load(trained).digest == before


def test_killed_and_resumed_it_ends_with_the_same_weights(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    """SIGKILL, which no program can answer: what counts is what lay on disk."""
    long = ["--set", "train.epochs=12", "--set", "train.patience=12", "--set", "train.checkpoint_minutes=0"]
    call = ["train", "gru4rec", "--data", str(log_file), *TINY, *long]
    run = tmp_path / "killed"
    home = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "recollect", *call, "--out", str(run)], env=home, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (run / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (run / CHECKPOINT).is_file() and not (run / "card.json").exists()
    said = recollect("evaluate", run)
    assert said.code == 1 and f"recollect train --resume {run}" in said.error
    assert recollect("train", "--resume", run).code == 0
    assert recollect(*call, "--out", tmp_path / "whole").code == 0
    for name, tensor in load(tmp_path / "whole").model.tensors().items():
        assert torch.equal(tensor, load(run).model.tensors()[name]), name


def test_a_stopped_run_says_how_to_go_on(
    recollect: Command, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recollect.train.progress import Console

    monkeypatch.setattr(Console, "step", lambda self, place, steps: os.kill(os.getpid(), signal.SIGINT))
    run = tmp_path / "stopped"
    said = recollect("train", "gru4rec", "--data", log_file, *TINY, "--out", run)
    assert said.code == 130 and f"recollect train --resume {run}" in said.err.splitlines()[-1]
    monkeypatch.undo()
    assert recollect("train", "--resume", run).code == 0
    said = recollect("train", "--resume", run)
    assert said.code == 2 and "has ended" in said.error
