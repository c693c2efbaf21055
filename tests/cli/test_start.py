"""The first moment of the command: a server is not killed by SIGHUP while it is yet to be loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import pytest

from ..architecture.tree import PACKAGE, ROOT

START = """
import json, signal, sys, types
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored, as nohup does
sys.argv = ["recollect", *{arguments!r}]
from recollect.cli.start import main
loaded = sorted({{"typer", "pydantic", "rich", "recollect.cli.main"}} & set(sys.modules))
found = types.ModuleType("recollect.cli.main")
found.main = lambda: print(json.dumps([loaded, signal.getsignal(signal.SIGHUP) == signal.SIG_IGN]))
sys.modules[found.__name__] = found
main()
"""


@pytest.mark.parametrize(
    ("arguments", "ignored"),
    [(["serve", "run"], True), (["train", "serve"], False), (["--version"], False), ([], False)],
)
def test_a_hang_up_is_ignored_before_anything_is_loaded(arguments: list[str], ignored: bool) -> None:
    code = START.format(arguments=arguments)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(said.stdout) == [[], ignored]


def test_the_command_starts_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"]["recollect"] == "recollect.cli.start:main"
    assert "from recollect.cli.start import main" in (PACKAGE / "__main__.py").read_text(encoding="utf-8")
