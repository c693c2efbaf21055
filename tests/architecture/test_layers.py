"""Imports point down only: the contracts of pyproject.toml hold, and break when somebody breaks a rule."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import ROOT


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package under `folder/src`, with the contracts of `folder/pyproject.toml`."""
    command = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(
        [command, "--no-logo", "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_layers_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("config.py", "from recollect import contracts", "Imports point down only"),
        ("contracts/state.py", "from recollect.contracts.window import Window", "The contract is read in one order"),
        ("contracts/catalog.py", "from recollect.contracts import Events", "do not import the package"),
        ("data/log.py", "from recollect.evaluate import metrics", "Imports point down only"),
        ("nn/mlstm.py", "import recollect.losses.full", "Imports point down only"),
        ("recommend.py", "from recollect.evaluate.ranking import rank", "Imports point down only"),
        ("models/popularity.py", "def late():\n    import recollect.train.fit", "Imports point down only"),
        ("misplaced.py", "", "Imports point down only"),
        ("models/popularity.py", "import lightning_fabric", "Fabric only in train"),
        ("evaluate/ranking.py", "import polars", "Polars only in data"),
        ("data/log.py", "import narwhals", "narwhals only in data/formats and where tables are handed out"),
        ("train/fit.py", "import typer", "typer only in cli"),
    ],
)
def test_a_broken_rule_is_seen(tmp_path: Path, file: str, line: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "recollect" / file).open("a", encoding="utf-8") as broken:
        broken.write(f"\n{line}\n")
    result = lint(tmp_path)
    printed = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"{contract} BROKEN" in printed, printed
