"""What the tests of the command line share: a small log, a model trained on it, and a way to call the command."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recollect.cli import main

TINY = ["--set", "model.width=8", "--set", "train.epochs=1", "--set", "train.batches.tokens=512"]


@dataclasses.dataclass(frozen=True)
class Said:
    """What a call gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that a failure says; anything else on stderr fails the test."""
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), self.err
        assert self.out == "" and "Traceback" not in self.err
        return lines[0]


Command = Callable[..., Said]


@pytest.fixture
def recollect(capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls `recollect` with arguments, in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = main.run([str(one) for one in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def write_log(path: Path, users: int = 30, seed: int = 3) -> None:
    """`user,item,time`: ids of users are numbers, those of items text with a space."""
    random = np.random.default_rng(seed)
    lines = ["user,item,time"]
    for user in range(users):
        times = 1_700_000_000 + np.cumsum(random.integers(1, 90_000, random.integers(5, 15)))
        lines += [f"{user},item {random.integers(1, 25)},{time}" for time in times]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "events.csv"
    write_log(path)
    return path


@pytest.fixture(scope="session")
def trained(log_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder. Tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    code = main.run(["train", "gru4rec", "--data", str(log_file), *TINY, "--out", str(folder), "--json"])
    assert code == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, byte for byte."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
