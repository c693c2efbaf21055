"""The first moment of the command: what a signal does while nothing is loaded yet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

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


BLOCKED = """
import importlib.abc, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            print("importing", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
sys.argv = ["recollect", *{arguments!r}]
from recollect.cli.start import main
main()
"""


@pytest.mark.parametrize("module", ["recollect.cli.main", "typer", "torch"])
@pytest.mark.parametrize(
    ("number", "code", "line"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_while_modules_are_imported_ends_in_one_line(
    tmp_path: Path, module: str, number: signal.Signals, code: int, line: str
) -> None:
    text = BLOCKED.format(module=module, arguments=["serve", str(tmp_path)])
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, f"error: {line}\n")


def test_an_interrupt_that_a_shell_has_ignored_stays_so(tmp_path: Path) -> None:
    text = BLOCKED.format(module="recollect.cli.main", arguments=["doctor"]).replace("60", "0.5")
    text = text.replace("signal.default_int_handler", "signal.SIG_IGN").replace('"importing"', "sys.argv[0]")
    command = [sys.executable, "-c", text.replace("main()", "main") + "\nsys.argv[1:] = ['--version']\nmain()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "recollect\n"
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0 and out.startswith("recollect 0") and said == ""


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rpf", "true"], capture_output=True).returncode != 0,
    reason="no process can be the first of a namespace here",
)
@pytest.mark.parametrize("arguments", [["serve", "run"], ["replay", "run"]])
def test_the_first_process_of_a_container_ends_on_sigterm(arguments: list[str]) -> None:
    text = BLOCKED.format(module="recollect.artifact", arguments=arguments)
    command = ["unshare", "-rpf", "--kill-child", sys.executable, "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "error: terminated\n")


def test_the_command_starts_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"]["recollect"] == "recollect.cli.start:main"
    assert "from recollect.cli.start import main" in (PACKAGE / "__main__.py").read_text(encoding="utf-8")
