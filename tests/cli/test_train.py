"""`recollect train` from a file to a folder, resumed from the folder alone, and its results for a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
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


def test_it_says_what_the_kept_model_has_never_seen(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    said = recollect("train", "popularity", "--data", log_file, "--out", tmp_path / "run")
    events = len(log_file.read_text().splitlines()) - 1
    assert f"The kept model has never seen 60 of the {events:,} events" in said.out  # two of each of 30 users
    assert f"recollect refit {tmp_path / 'run'}" in said.out


def test_a_run_starts_from_another_on_a_newer_log(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer.csv"
    newer.write_text(log_file.read_text() + "3,brand new,1780000000\n3,brand new,1780000001\n")
    said = recollect("train", "--from", trained, "--data", newer, "--out", tmp_path / "run")
    assert said.code == 0 and "24 items have their rows from there, 1 are new" in said.err
    kept = load(tmp_path / "run")
    begun = f"started from {trained.parent.name}/{trained.name}"
    assert kept.card["protocol line"].endswith(f" | {begun}") and kept.card["protocol"]["started_from"] in begun
    assert "started from" not in load(trained).card["protocol line"]
    assert recollect("evaluate", kept.folder).out.count(f" | {begun}") == 1
    since = recollect("evaluate", kept.folder, "--data", newer, "--since", 1780000000)
    assert since.code == 0 and since.out.count(f" | {begun}") == since.out.count("candidates all") >= 1
    assert kept.settings["train"]["start_from"] == str(trained) and kept.settings["model"]["width"] == 8
    said = recollect("train", "--from", trained, "--set", "model.width=16", "--out", tmp_path / "wide")
    assert said.code == 2 and "model.width is 8 there and 16 now" in said.err.splitlines()[-1]
    assert not (tmp_path / "wide").exists()
    said = recollect("train", "sasrec", "--from", trained)
    assert said.code == 2 and "a gru4rec, whose weights are no start for sasrec" in said.error
    assert recollect("train", "gru4rec", "--from", trained, "--out", tmp_path / "named").code == 0


def test_an_interrupted_run_is_finished(
    recollect: Command, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recollect.train.progress import Console

    def stop(self: Console, place: object, row: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Console, "epoch", stop)
    run = tmp_path / "stopped"
    said = recollect("train", "gru4rec", "--data", log_file, *TINY, "--set", "train.epochs=9", "--out", run)
    assert said.code == 130 and f"recollect train --finish {run}" in said.err.splitlines()[-1]
    monkeypatch.undo()
    said = recollect("train", "--finish", run, "--set", "train.epochs=3")
    assert said.code == 2 and "--finish takes everything from the run's folder; leave out --set" in said.error
    assert recollect("train", "--finish", run, "--resume", run).code == 2
    assert recollect("train", "--finish", run).code == 0
    assert load(run).card["finished early"] == {"epochs": 1, "of": 9}
    said = recollect("train", "--resume", run)
    assert said.code == 2 and "has ended" in said.error


@pytest.mark.parametrize("setting", ["model.init_items", "train.init_items"])
def test_an_item_table_starts_from_a_file(setting: str, recollect: Command, log_file: Path, tmp_path: Path) -> None:
    names = sorted({line.split(",")[1] for line in log_file.read_text().splitlines()[1:]})
    np.savez(tmp_path / "v.npz", ids=np.array(names[1:]), vectors=np.ones((len(names) - 1, 8), dtype=np.float32))
    call = ["train", "gru4rec", "--data", log_file, *TINY, "--set", f"{setting}={tmp_path / 'v.npz'}"]
    said = recollect(*call, "--out", tmp_path / "run")
    assert said.code == 0 and f"{len(names) - 1} of {len(names)} items start from" in said.err
    assert load(tmp_path / "run").settings["train"]["init_items"] == str(tmp_path / "v.npz")
    said = recollect(*call, "--set", "model.width=16", "--out", tmp_path / "wide")
    assert said.code == 2 and "set model.width=8" in said.err.splitlines()[-1]


def test_several_processes_and_a_gpu_that_is_not_there_are_refused(
    recollect: Command, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["train", "gru4rec", "--data", log_file, *TINY, "--out", tmp_path / "run"]
    said = recollect(*call, "--set", "train.accelerator=cuda:97")
    assert said.code == 2 and "train.accelerator=cuda:97: no such device" in said.error
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = recollect(*call)
    assert said.code == 2 and "WORLD_SIZE=2" in said.error and not (tmp_path / "run").exists()
    said = recollect("compare", "--models", "popularity", "--data", log_file, "--out", tmp_path / "all")
    assert said.code == 2 and "WORLD_SIZE=2" in said.error
