"""`import recollect` and `recollect --help` answer at once: fresh interpreters are asked what they loaded."""

from __future__ import annotations

import ast
import json
import os
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import recollect

from .tree import PACKAGE

HEAVY = {"torch", "numpy", "scipy", "polars", "narwhals", "lightning_fabric", "matplotlib", "pandas", "pyarrow"}
HEAVY |= {"fastapi", "uvicorn", "lmdb", "redis", "prometheus_client"}
NOT_FOR_AN_IMPORT = HEAVY | {"pydantic", "typer", "rich", "safetensors"}


def fresh(code: str) -> Any:
    """What `code` printed as JSON in an interpreter of its own."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_an_import_loads_nothing_heavy() -> None:
    loaded = fresh("import json, sys, recollect; dir(recollect); print(json.dumps(sorted(sys.modules)))")
    assert "recollect" in loaded
    assert NOT_FOR_AN_IMPORT & set(loaded) == set()


def test_what_does_not_train_does_not_load_what_trains() -> None:
    """Fabric takes as long to import as torch does."""
    loaded = fresh("import json, sys, recollect.study.scoring; print(json.dumps(sorted(sys.modules)))")
    assert "torch" in loaded and "recollect.train.loop" in loaded and "lightning_fabric" not in loaded


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train"],
        ["refit"],
        ["evaluate"],
        ["compare"],
        ["data", "inspect"],
        ["recommend"],
        ["similar"],
        ["score"],
        ["vectors"],
        ["serve"],
        ["replay"],
        ["journal", "verify"],
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = fresh(
        f"""
import json, sys
sys.argv = ["recollect", *{arguments!r}, "--help"]
from recollect.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print()
print(json.dumps(sorted(sys.modules)))
"""
    )
    assert "recollect.cli.main" in loaded
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize("arguments", [["-c", "import recollect"], ["-m", "recollect.cli.main", "--help"]])
def test_it_takes_less_than_a_second(arguments: list[str]) -> None:
    seconds = []
    for _ in range(5):  # of the processor, and the best of five: a busy machine is no slow import
        before = os.times()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=120)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) < 1


@pytest.mark.parametrize("name", recollect.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(recollect, name)
    assert name == "__version__" or callable(value)


def test_no_public_name_is_a_modules_too() -> None:
    """Importing a submodule binds it on the package, over the public name; one name is guarded against that."""
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert modules & set(recollect.__all__) == {"recommend"}


@pytest.mark.parametrize("steps", ["import recollect.recommend", "recollect.recommend; import recollect.recommend"])
def test_recommend_stays_a_function_when_its_module_is_imported(steps: str) -> None:
    assert fresh(f"import json, recollect; {steps}; print(json.dumps(callable(recollect.recommend)))")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'recomend'"):
        recollect.recomend  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING, the table of homes and `__all__` say the same."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("recollect.")
        for alias in node.names
        if alias.name != "__version__"
    }
    assert typed == {name: f"recollect.{home}" for name, home in recollect._HOMES.items()}
    assert set(recollect.__all__) == {*typed, "__version__"}
