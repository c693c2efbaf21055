"""`make` installs with uv where it can, told what pip was told: asked of the script, with commands that do nothing."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

import pytest

from .tree import ROOT


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / ".ci" / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = loaded()
    monkeypatch.setattr(module, "pip_options", dict)
    monkeypatch.setattr(module.shutil, "which", lambda name: "uv")
    monkeypatch.setattr(module.sys, "platform", "linux")
    return module


class Shell:
    """Remembers what it was asked to run; the commands that hold one of the words fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.run: list[list[str]] = []
        self.environments: list[Mapping[str, str]] = []

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        self.run.append(list(command))
        self.environments.append(environment)
        return not any(word in command for word in self.failing)


TOLD = """:env:.cert='certificates.pem'
:env:.find-links='wheels more-wheels'
global.extra-index-url='file:///one file:///two'
global.find-links='not these'
install.constraint='caps.txt'
"""


def test_uv_is_told_what_pip_was_told(install: ModuleType) -> None:
    told = install.parse_options(TOLD)
    ((options, settings),) = install.attempts(told, {})
    pairs = list(itertools.pairwise(options))
    for pair in (
        ("--find-links", "wheels"),
        ("--find-links", "more-wheels"),
        ("--index", "file:///one"),
        ("--index", "file:///two"),
        ("--constraint", "caps.txt"),
    ):
        assert pair in pairs
    assert "not" not in options and "--torch-backend" not in options
    assert settings == {"SSL_CERT_FILE": "certificates.pem"}
    assert install.parse_options("nonsense\n") == {}


def test_pips_own_words_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the pip of this environment prints them."""
    monkeypatch.setenv("PIP_FIND_LINKS", "here 'and' there")
    assert loaded().pip_options()["find-links"] == "here 'and' there"


def test_who_has_told_uv_is_not_spoken_over(install: ModuleType) -> None:
    ((options, settings),) = install.attempts(install.parse_options(TOLD), {"UV_INDEX_URL": "elsewhere"})
    assert set(options) <= {"--quiet"} and settings == {}


def test_a_small_pytorch_is_tried_first_where_nobody_said_where_packages_are(install: ModuleType) -> None:
    shell = Shell("--torch-backend")
    assert install.main(["dev"], shell, {}) == 0
    first, second = shell.run
    assert "--torch-backend" in first and first[0] == second[0] == "uv"
    assert first[-1] == second[-1] == f"{ROOT}[dev]"
    assert [word for word in first if word.endswith("constraints.txt")] == [str(ROOT / "constraints.txt")]
    assert [word for word in first if word not in ("--torch-backend", "auto")] == second


def test_pip_takes_over_where_uv_fails_or_is_not(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Shell("uv")
    assert install.main([], failing, {}) == 0
    assert failing.run[-1][:3] == [sys.executable, "-m", "pip"]
    assert failing.run[-1][-1] == str(ROOT) and str(ROOT / "constraints.txt") in failing.run[-1]
    assert install.main([], Shell("--editable"), {}) == 1

    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.setattr(install.Path, "is_file", lambda path: False)
    nowhere = Shell("uv")
    assert install.main([], nowhere, {}) == 0
    assert [command[1:3] for command in nowhere.run] == [["-m", "pip"]] * 2  # asked for uv, then for the package
    refused = Shell()
    assert install.main([], refused, {"INSTALLER": "pip"}) == 0
    assert len(refused.run) == 1 and "uv" not in refused.run[0]
