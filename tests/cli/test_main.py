"""Bad input at the command line: an exit code, one line that says what to do, no traceback, nothing harmed on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import recollect as package
from recollect.artifact import CARD, PARTS
from recollect.config import digest

from .conftest import Command, contents

GOOD = "".join(f"{user},{item},{1_700_000_000 + 60 * item}\n" for user in range(6) for item in range(1, 6))
BAD_FILES = {
    "empty": ("", "empty"),
    "header only": ("user,item,time\n", "no "),
    "missing column": ("a,b,c\n1,2,3\n", "column"),
    "wrong separator": ("user;item;time\n1;2;3\n", "separator"),
    "no times": ("user,item,time\n1,2,soon\n1,3,later\n", "soon"),
    "no usable user": ("user,item,time\n1,2,3\n2,2,4\n3,4,5\n", "no user"),
    "no times at all": ("user,item,time\n1,2,\n1,3,\n", "time"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_trains_nothing(case: str, recollect: Command, tmp_path: Path) -> None:
    text, word = BAD_FILES[case]
    (tmp_path / "log.csv").write_text(text)
    extra = ["--set", "data.separator=,"] if case == "wrong separator" else []
    said = recollect(
        "train", "popularity", "--data", tmp_path / "log.csv", "--user", "user", "--item", "item", "--time", "time",
        *extra, "--out", tmp_path / "run",
    )  # fmt: skip
    assert said.code == 1
    assert word in said.error or "column" in said.error
    assert "log" in said.error
    assert contents(tmp_path) == {"log.csv": text.encode()} and not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", [["data", "inspect"], ["train", "popularity", "--data"]])
def test_a_truncated_parquet(verb: list[str], recollect: Command, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": list(range(500)), "item": list(range(500)), "time": list(range(500))}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    said = recollect(*verb, path)
    assert said.code == 1 and "log.parquet" in said.error


def test_places_that_are_no_log(recollect: Command, tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "nowhere.csv", tmp_path / "*.csv", "no-such-name", "x" * 5000):
        said = recollect("data", "inspect", source)
        assert said.code == 1 and len(said.error) < 2100


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["training.stpes=3"], ["training.stpes", "did you mean 'train'"]),
        (["train.stpes=3"], ["train.stpes", "unknown"]),
        (["train.epoch=3"], ["did you mean 'epochs'"]),
        (["model.widht=3"], ["model.widht", "did you mean 'width'"]),
        (["train.batches.token=3"], ["did you mean 'tokens'"]),
        (["data.filters.min_users=3"], ["data.filters.min_users"]),
        (["train.epochs=-1"], ["train.epochs", "greater than or equal to 1", "-1"]),
        (["model.dropout=1.5"], ["model.dropout", "less than 1"]),
        (["evaluate.seen=maybe"], ["evaluate.seen", "hidden"]),
        (["model.width"], ["path=value"]),
        (["split.protocol=random"], ["split.protocol", "loo"]),
        (["train=3"], ["train", "section"]),
        (["model.name=sasrec"], ["model.name", "was asked for"]),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named_with_the_nearest_right_one(
    settings: list[str], words: list[str], recollect: Command, log_file: Path, tmp_path: Path
) -> None:
    sets = [part for setting in settings for part in ("--set", setting)]
    said = recollect("train", "gru4rec", "--data", log_file, *sets, "--out", tmp_path / "run")
    assert said.code == 2
    assert all(word in said.error for word in words), said.error
    assert "--set" in said.error or "model.name" in settings[0]
    assert contents(tmp_path) == {}


def test_a_wrong_line_in_a_settings_file_names_the_file(recollect: Command, log_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    for text, word in (
        ("[training]\nstpes = 3\n", "did you mean 'train'"),
        ("[train]\nepochs = 'x'\n", "train.epochs"),
        ("data = 5\n", "section"),
        ("[train\n", "not valid TOML"),
        ("[model]\nname = 'sasrec'\n", "'sasrec'"),
    ):
        file.write_text(text)
        said = recollect("train", "gru4rec", "--data", log_file, "--config", file, "--out", tmp_path / "run")
        assert said.code == 2 and word in said.error and "mine.toml" in said.error
    assert recollect("train", "gru4rec", "--data", log_file, "--config", tmp_path / "none.toml").code == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["trian"], "train"),
        (["train"], "which model"),
        (["train", "gru4rec"], "--data"),
        (["train", "gru5rec", "--data", "simulated"], "did you mean 'gru4rec'"),
        (["train", "--resume", "x", "--out", "y"], "leave out --out"),
        (["train", "gru4rec", "--data"], "--data"),
        (["recommend", "x"], "exactly one"),
        (["recommend", "x", "--user", "1", "--history", "a"], "exactly one"),
        (["recommend", "x", "--all"], "--out"),
        (["recommend", "x", "--user", "1", "-k", "0"], "-k"),
        (["evaluate"], "RUN"),
        (["evaluate", "x", "--seen", "maybe"], "hidden"),
        (["models", "xlstm-lrs"], "did you mean 'xlstm-lsr'"),
        (["data", "inspekt", "x"], "inspekt"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(arguments: list[str], word: str, recollect: Command) -> None:
    said = recollect(*arguments)
    assert said.code == 2 and word in said.error


VERBS = [["evaluate"], ["recommend", "--history", "item 1"], ["recommend", "--user", "1"]]


@pytest.mark.parametrize("verb", VERBS, ids=str)
def test_a_damaged_or_newer_model_is_not_used(
    verb: list[str], recollect: Command, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for name in (*PARTS, CARD):
        shutil.copytree(trained, run, dirs_exist_ok=True)
        data = bytearray((run / name).read_bytes())
        data[len(data) // 2] ^= 1
        (run / name).write_bytes(data)
        before = contents(run)
        said = recollect(verb[0], run, *verb[1:])
        assert said.code == 1 and "damaged" in said.error and name in said.error
        assert contents(run) == before
    shutil.copytree(trained, run, dirs_exist_ok=True)
    card = {**json.loads((run / CARD).read_text()), "version": 99}
    card.pop("check")
    (run / CARD).write_text(json.dumps({**card, "check": digest(card)}))
    said = recollect(verb[0], run, *verb[1:])
    assert said.code == 1 and "format 99" in said.error and "update recollect" in said.error


def test_a_folder_that_is_no_run(recollect: Command, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        for verb in VERBS:
            assert recollect(verb[0], folder, *verb[1:]).code == 1
        said = recollect("train", "--resume", folder)
        assert said.code == 2 and "no run to resume" in said.error
    assert contents(tmp_path) == {}


def test_rows_that_cannot_be_used_are_counted(recollect: Command, tmp_path: Path) -> None:
    rows = ["0,5,", ",3,1700000000", "0,,1700000000", "9,1,1700000000", "0,1,1700000060", f"8,{'i' * 10**6},1690000000"]
    (tmp_path / "log.csv").write_text("user,item,time\n" + GOOD + "\n".join(rows) + "\n")
    said = recollect("data", "inspect", tmp_path / "log.csv", "--on-bad", "skip", "--json")
    assert said.code == 0
    assert said.json["events"] == 30 + 3
    assert sum(entry["events"] for entry in said.json["dropped"]) == 3
    assert said.json["users_one_event"] == 2 and said.json["duplicate_rows"] == 1
    said = recollect("train", "markov", "--data", tmp_path / "log.csv", "--on-bad", "skip", "--out", tmp_path / "run")
    assert said.code == 0
    said = recollect("recommend", tmp_path / "run", "--user", "0", "--seen", "allowed")
    assert said.code == 0 and max(map(len, said.out.splitlines())) < 200
    said = recollect("recommend", tmp_path / "run", "--history", "j" * 10**6)
    assert said.code == 1 and len(said.error) < 2100


def test_the_unforeseen_is_one_line_too(
    recollect: Command, monkeypatch: pytest.MonkeyPatch, log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("recollect.data.summary.summarise", broken)
    monkeypatch.delenv("RECOLLECT_DEBUG", raising=False)
    said = recollect("data", "inspect", log_file)
    assert said.code == 1 and "RuntimeError: two lines" in said.error and "RECOLLECT_DEBUG=1" in said.error
    monkeypatch.setenv("RECOLLECT_DEBUG", "1")
    assert "Traceback" in recollect("data", "inspect", log_file).err

    def stopped(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recollect.data.summary.summarise", stopped)
    said = recollect("data", "inspect", log_file)
    assert said.code == 130 and said.error == "error: interrupted"


def test_help_has_an_example_for_every_verb(recollect: Command) -> None:
    assert "recollect demo" in recollect("--help").out
    for verb in (["data", "inspect"], ["train"], ["compare"], ["evaluate"], ["recommend"]):
        said = recollect(*verb, "--help")
        assert said.code == 0 and f"recollect {' '.join(verb)} " in " ".join(said.out.split())
    assert recollect("--version").out.startswith("recollect 0.")


def test_the_process_ends_with_the_exit_code(tmp_path: Path) -> None:
    """One whole process, as a shell sees it."""
    call = [sys.executable, "-m", "recollect", "data", "inspect", "nothing.csv"]
    home = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    ended = subprocess.run(call, cwd=tmp_path, env=home, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("error: nothing.csv") and ended.stderr.count("\n") == 1
