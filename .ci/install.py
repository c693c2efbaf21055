"""Install this checkout into the environment of the interpreter that runs this: with uv, or with pip where uv is not.

uv takes a fifth of pip's time, but does not read what pip was told: where packages are, which versions not to take. So
it is told. Where nobody said where packages are, uv takes the build of PyTorch that fits the machine: without an NVIDIA
driver the one for processors, a tenth of the download.

    python .ci/install.py [EXTRA ...]        INSTALLER=pip goes without uv
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
MANY = {"extra-index-url": "--index", "find-links": "--find-links", "trusted-host": "--allow-insecure-host"}
MANY |= {"constraint": "--constraint", "index-url": "--default-index"}
"""Options of pip that may have several values, and what uv calls them."""
WHERE = {"index-url", "extra-index-url", "find-links", "no-index"}
"""Those that say where packages are."""
OWN = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
"""Whoever has set one of these has told uv already."""

Run = Callable[[Sequence[str], Mapping[str, str]], bool]


def main(extras: Sequence[str], run: Run, environment: Mapping[str, str]) -> int:
    """Install, and say what went wrong -> the exit code."""
    checkout = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    what = ["--constraint", str(ROOT / "constraints.txt"), "--editable", checkout]
    uv = None if environment.get("INSTALLER") == "pip" else find_uv(run, environment)
    if uv is not None:
        for options, settings in attempts(pip_options(), environment):
            command = [uv, "pip", "install", "--python", sys.executable, *options, *what]
            if run(command, {**environment, **settings}):
                return 0
        print("uv could not install it (see above); trying pip ...", file=sys.stderr, flush=True)
    return 0 if run([*PIP, "--quiet", "install", *what], environment) else 1


def find_uv(run: Run, environment: Mapping[str, str]) -> str | None:
    """The uv on the path, or one that pip puts into the environment; None where neither is to be had."""
    own = Path(sys.executable).with_name("uv")
    if (found := shutil.which("uv")) or own.is_file():
        return found or str(own)
    if (
        run([*PIP, "--quiet", "install", "--constraint", str(ROOT / "constraints.txt"), "uv"], environment)
        and own.is_file()
    ):
        return str(own)
    return None


def pip_options() -> dict[str, str]:
    """What pip was told, in its files and in the environment, by the name of the option."""
    listed = subprocess.run([*PIP[:-1], "config", "list"], capture_output=True, text=True)
    return parse_options(listed.stdout)


def parse_options(listed: str) -> dict[str, str]:
    """Lines such as `global.find-links='/wheels'` and `:env:.timeout='60'`, the more special ones later."""
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    order = ("global.", "user.", "site.", "install.", ":env:.")
    found = {}
    for start in order:
        for key, _, value in lines:
            if key.startswith(start):
                found[key.removeprefix(start)] = str(ast.literal_eval(value))
    return found


def attempts(told: Mapping[str, str], environment: Mapping[str, str]) -> list[tuple[list[str], dict[str, str]]]:
    """Options of uv and variables of its environment: one way to try it after the other."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    if any(name in environment for name in OWN):
        return [(quiet, {})]
    options = [word for name, flag in MANY.items() for value in told.get(name, "").split() for word in (flag, value)]
    if told.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    if "extra-index-url" in told:
        options += ["--index-strategy", "unsafe-best-match"]  # of all places the best version, as pip has it
    variables = {"cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY"}
    settings = {name: told[option] for option, name in variables.items() if option in told}
    plain = (quiet + options, settings)
    if sys.platform != "linux" or WHERE & set(told) or "UV_TORCH_BACKEND" in environment:
        return [plain]
    return [([*plain[0], "--torch-backend", "auto"], {**settings, "UV_HTTP_RETRIES": "1"}), plain]


def execute(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    return subprocess.run(command, env=dict(environment)).returncode == 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:], execute, os.environ))
    except KeyboardInterrupt:
        sys.exit(130)
