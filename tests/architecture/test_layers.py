"""Imports point down only: the contracts of pyproject.toml hold, and break when somebody breaks a rule."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT, Source, sources


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


def upward(source: Source) -> list[str]:
    """Public names of the package that a layer of it imports from above instead of from where they are made."""
    modules = {path.stem for path in PACKAGE.iterdir()}
    return [
        alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "recollect"
        for alias in node.names
        if alias.name not in modules
    ]


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.place or "recollect")
def test_no_layer_imports_the_public_names(source: Source) -> None:
    if not source.place.startswith("cli."):  # the command is a user of the package, like any other
        assert upward(source) == []


def test_an_upward_import_is_seen() -> None:
    assert upward(Source("artifact", "def save():\n    from recollect import __version__, registry")) == ["__version__"]


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
