"""`recollect compare` as it is typed: real processes, a table for people and for programs, stopped and gone on with."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import recollect as package
from recollect.artifact import load
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.study.execute import Halted
from recollect.train.fit import CHECKPOINT

from .conftest import Command, contents

TINY = [
    "--set", "train.epochs=1", "--set", "train.batches.tokens=512",
    "--set", "models.gru4rec.model.width=8", "--set", "models.gru4rec.model.hidden=8",
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of this process and of the runs in others: weights are compared bit for bit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_from_a_log_to_a_table_and_on(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    broken = ["--set", "models.sasrec.model.width=8", "--set", "models.sasrec.model.heads=3"]
    call = ["compare", "--models", "markov,gru4rec,sasrec", "--data", log_file, "--seeds", 1, *TINY, *broken]
    call += ["--out", tmp_path / "out", "--jobs", 2]
    said = recollect(*call)
    assert said.code == 1 and "1 of 3 runs failed" in said.err.splitlines()[-1]
    assert "3 of 3: sasrec, seed 0" in said.err and "sasrec: failed: " in said.out and "3 heads" in said.out
    whole = Ledger.load(tmp_path / "out" / "ledger.parquet")
    for name in ("markov", "gru4rec"):
        assert measure(whole.of(name)).text("ndcg@10") in said.out
        assert recollect("evaluate", tmp_path / "out" / name / "seed-0", "--on", "validation").code == 0
    assert "split loo, test" in said.out and "Holm" in said.out and "s/epoch" in said.out
    assert max(len(line) for line in said.out.splitlines() if " ± " in line and line.startswith(" ")) <= 80
    assert "epoch 1/1" in (tmp_path / "out" / "gru4rec" / "seed-0.log").read_text()
    shown = shortened(contents(tmp_path / "out"))
    said = recollect(*call[:2], "markov,gru4rec", *call[3:], "--json")
    assert said.code == 0 and "2 of 2 runs are there already" in said.err
    assert [row["model"] for row in said.json["rows"]] == sorted(
        ("markov", "gru4rec"), key=lambda name: -measure(whole.of(name))["ndcg@10"]
    )
    assert shortened(contents(tmp_path / "out")) == shown
    said = recollect(*call, "--set", "train.warmup=7")
    assert said.code == 2 and "train.warmup is 100 there, 7 now" in said.err


def test_variants_of_one_model_stand_beside_it(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    """Named by the file alone; then the same runs from their folders, which give the same figures."""
    file = tmp_path / "variants.toml"
    file.write_text(
        f"[data]\nsource = '{log_file}'\n[train]\nepochs = 1\nbatches.tokens = 512\n"
        "[models.gru4rec.model]\nwidth = 8\nhidden = 8\n"
        "[models.narrow.model]\nname = 'gru4rec'\nwidth = 4\nhidden = 8\n"
    )
    call = ["compare", "--config", file, "--against", "gru4rec", "--on", "validation", "--seeds", 2]
    said = recollect(*call, "--out", tmp_path / "out", "--json")
    assert said.code == 0 and {row["model"] for row in said.json["rows"]} == {"gru4rec", "narrow"}
    assert said.json["compared with"] == "gru4rec"
    folders = [tmp_path / "out" / name / f"seed-{seed}" for name in ("gru4rec", "narrow") for seed in (0, 1)]
    again = recollect("evaluate", *folders, "--on", "validation", "--against", folders[1], "--json")
    for one, other in zip(said.json["rows"], again.json["rows"], strict=True):
        assert (one["model"], one["values"], one["difference"]) == (
            other["model"],
            other["values"],
            other["difference"],
        )
    assert recollect("evaluate", folders[0], "--against", folders[0]).code == 2


def shortened(files: dict[str, bytes]) -> dict[str, bytes]:
    """What the runs have kept, without the table over them."""
    return {name: data for name, data in files.items() if "/" in name and not name.endswith(".log")}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--models", "gru5rec", "--data", "simulated", "--out", "x"], "did you mean 'gru4rec'"),
        (["--models", "gru4rec", "--data", "simulated"], "--out"),
        (["--data", "simulated", "--out", "x"], "--models"),
        (["--models", " ,", "--data", "simulated", "--out", "x"], "no model"),
        (["--models", "gru4rec", "--out", "x"], "--data"),
        (["--models", "gru4rec", "--data", "simulated", "--out", "x", "--set", "model.width=3"], "models.NAME"),
        (["--models", "gru4rec", "--data", "simulated", "--out", "x", "--set", "train.epoch=3"], "'epochs'"),
        (["--models", "gru4rec", "--data", "simulated", "--out", "x", "--seeds", "0"], "--seeds"),
        (["--models", "gru4rec", "--data", "simulated", "--out", "x", "--on", "train"], "validation"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(
    arguments: list[str], word: str, recollect: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = recollect("compare", *arguments)
    assert said.code == 2 and word in said.error and not (tmp_path / "x").exists()


def test_all_are_all_that_are_registered(
    recollect: Command, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recollect.registry import names
    from recollect.study import compare as study

    asked: list[str] = []

    def compare(settings: object, models: list[str], *arguments: object, **named: object) -> None:
        asked.extend(models)
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "compare", compare)
    assert recollect("compare", "--models", "all", "--data", log_file, "--out", tmp_path).code == 130
    assert asked == names()


def test_the_command_to_go_on_with_is_the_one_that_was_typed(
    recollect: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(*arguments: object, **named: object) -> None:
        raise Halted("stopped")

    monkeypatch.setattr("recollect.study.compare.compare", compare)
    call = ["--models", "gru4rec", "--out", "a b", "--data", "x.csv", "--seen", "allowed", "--seeds", "2"]
    call += ["--set", "train.epochs=2", "--set", "train.warmup=1", "--json"]
    said = recollect("compare", *call)
    assert said.code == 130
    assert said.error == f"error: stopped. To go on: recollect compare {shlex.join(call)}"


@pytest.mark.long
def test_stopped_it_says_what_to_type_and_goes_on_to_the_same_weights(
    recollect: Command, log_file: Path, tmp_path: Path
) -> None:
    """SIGINT for the command alone, as `kill` sends it: the run in its own process keeps a checkpoint and ends too."""
    long = ["--set", "train.patience=40", "--set", "train.checkpoint_minutes=0", "--set", "train.epochs=40"]
    call = ["compare", "--models", "gru4rec", "--data", str(log_file), "--seeds", "1", *TINY, *long]
    run = tmp_path / "a folder" / "gru4rec" / "seed-0"
    home = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "recollect", *call, "--out", str(tmp_path / "a folder")],
        env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (run / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and out == ""
    assert (run / CHECKPOINT).is_file() and not (run / "card.json").exists()
    last = err.splitlines()[-1]
    assert last.startswith("error: stopped; nothing is lost. To go on: recollect compare --models gru4rec --out")
    assert f"'{tmp_path / 'a folder'}'" in last and last.endswith("--set train.epochs=40")
    assert recollect(*call, "--out", tmp_path / "a folder").code == 0
    straight = ["train", "gru4rec", "--data", log_file, "--set", "model.width=8", "--set", "model.hidden=8"]
    assert recollect(*straight, *TINY[:4], *long, "--out", tmp_path / "whole").code == 0
    resumed = load(run)
    assert json.loads((run / "card.json").read_text())["history"]
    for name, tensor in load(tmp_path / "whole").model.tensors().items():
        assert torch.equal(tensor, resumed.model.tensors()[name]), name
