"""One doorway a foreign dependency, nothing undeclared, and nothing that runs code out of a file it loads."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

import pytest

from .tree import ROOT, Source, sources

DOORWAYS = {
    "lightning_fabric": r"train(\..+)?",
    "polars": r"data(\..+)?",
    "narwhals": r"data\.(formats(\..+)?|frame)",
    "typer": r"cli(\..+)?",
    "rich": r"(cli|train)(\..+)?",
    "safetensors": r"contracts\.state|artifact(\..+)?|train(\..+)?",
    "lmdb": r"serve\.stores\.(index|embedded)",
    "fastapi": r"serve\.http\..+",
    "uvicorn": r"serve\.http\.listening",
    "prometheus_client": r"serve\.http\.metrics",
    "triton": r"nn\.kernels(\..+)?",
    "redis": r"serve\.stores\.redis",
    "transformers": r"models\.hf",
    "mamba_ssm": r"nn\.selective_scan",
    "IPython": r"train\.progress",
}
"""Dependency -> the modules (below `recollect`) that may import it. The others may be used wherever torch may."""

OPTIONAL = {"transformers", "mamba_ssm", "redis", "IPython"}
"""Imported only where it is installed, by a module that says what to install where it is not."""

UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def declared() -> set[str]:
    """Import names of the run-time dependencies in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[<>=!~\[; ]", line)[0].replace("-", "_") for line in project["dependencies"]}


def strays(source: Source) -> Iterator[str]:
    """Imports that the rules do not allow in this file."""
    for name in source.imports:
        top = name.partition(".")[0]
        if top == "recollect" or (top in sys.stdlib_module_names and top not in UNPICKLERS):
            continue
        if top not in declared() | OPTIONAL:
            yield f"{name}: not among the dependencies of pyproject.toml"
        elif top in DOORWAYS and not re.fullmatch(DOORWAYS[top], source.place):
            yield f"{name}: only {DOORWAYS[top]} may import it"


def unsafe_loads(source: Source) -> Iterator[str]:
    """Calls that could run code out of a file."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if called == "torch.load" and options.get("weights_only") != "True":
            yield f"line {node.lineno}: torch.load without weights_only=True"
        if options.get("allow_pickle", "False") != "False" or called.endswith(("read_pickle", "to_pickle")):
            yield f"line {node.lineno}: {called} may unpickle"
        if called in {"eval", "exec", "builtins.eval", "builtins.exec"}:
            yield f"line {node.lineno}: {called} runs text as code"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.place or "recollect")
def test_foreign_code_enters_by_its_doorway_and_loads_no_code(source: Source) -> None:
    assert [*strays(source), *unsafe_loads(source)] == []


def test_every_dependency_is_used() -> None:
    """What nobody imports is downloaded by everybody for nothing."""
    imported = {name.partition(".")[0] for source in sources() for name in source.imports}
    assert declared() - imported == set()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("train.loop", "import polars"),
        ("data.log", "def read():\n    from narwhals import DataFrame"),
        ("models.gru4rec", "from lightning_fabric import Fabric"),
        ("evaluate.ranking", "import matplotlib.pyplot as plt"),
        ("evaluate.ranking", "import pandas"),
        ("artifact", "import pickle"),
        ("contracts.events", "import typer"),
        ("contracts.catalog", "import safetensors"),
    ],
)
def test_a_stray_import_is_seen(place: str, text: str) -> None:
    assert list(strays(Source(place, text)))


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "pd.read_pickle(path)",
        "eval('1')",
    ],
)
def test_an_unsafe_load_is_seen(text: str) -> None:
    assert list(unsafe_loads(Source("artifact", text)))


def test_what_is_allowed_passes() -> None:
    text = "import torch, json, polars\ntorch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)\nmodel.eval()"
    source = Source("data.parquet", text)
    assert [*strays(source), *unsafe_loads(source)] == []
