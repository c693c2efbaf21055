"""The rules a file keeps: its length, its name, its opening lines, its place, and no path of anybody's machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import PACKAGE, ROOT, Source, sources

LINES = 400
VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc", "shared", "tools"}
MACHINE_PATH = re.compile(r"(?<![\w./:~$}-])/(?:home|Users|root|work|mnt|opt|srv|tmp|private)/[\w.-]+")
CROSSING = {"accelerator", "architecture", "benchmarks", "conformance", "papers"}
"""Folders of tests that mirror no part of the package: about the whole of it, or about what stands beside it."""
WHOLE = {"documents", "results", "wheel"}
"""Tests at the top that are about the whole package, or its pages."""

each_source = pytest.mark.parametrize("source", sources(), ids=lambda source: source.place or "recollect")


def vague_names(source: Source) -> Iterator[str]:
    """Module and class names that say nothing of what is inside."""
    words = {word for part in source.place.split(".") for word in part.split("_")}
    yield from words & VAGUE
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            yield from (w for w in re.findall(r"[A-Z][a-z]+", node.name) if w.lower() in VAGUE)


@each_source
def test_a_file_is_one_concept(source: Source) -> None:
    length = source.text.count("\n")
    assert length <= LINES, f"{length} lines, at most {LINES}: it wants to be two files"


@each_source
def test_a_name_says_what_is_inside(source: Source) -> None:
    assert list(vague_names(source)) == []


@each_source
def test_a_module_opens_with_why_it_exists(source: Source) -> None:
    assert ast.get_docstring(source.tree), "the module has no docstring"


@pytest.mark.parametrize("place, text", [("data.csv_utils", ""), ("base", ""), ("train.loop", "class RunManager: ...")])
def test_a_vague_name_is_seen(place: str, text: str) -> None:
    assert list(vague_names(Source(place, text)))


def texts() -> Iterator[Path]:
    """Every file that a person wrote and the repository keeps."""
    for folder in ("src", "tests", "docs", "benchmarks", "papers", ".ci"):
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".md", ".toml", ".txt", ""})
    yield from (path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".txt", ".cff"})
    yield ROOT / "Makefile"


def test_no_path_of_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match}"
        for path in texts()
        if path.is_file()
        for match in MACHINE_PATH.findall(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_path_of_a_machine_is_seen() -> None:
    somewhere = "/".join(["", "home", "somebody", "data"])
    assert MACHINE_PATH.search(f'read("{somewhere}/x.csv")')
    assert not MACHINE_PATH.search("see docs/home/page.md, ../lib/x, https://example.org/home/page")


def test_tests_mirror_the_package() -> None:
    """tests/data/test_log.py is about data/log.py; test_log_bad_input.py may be too."""
    lost = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        inside = path.relative_to(ROOT / "tests")
        if inside.parts[0] in CROSSING or (len(inside.parts) == 1 and path.stem.removeprefix("test_") in WHOLE):
            continue
        words = path.stem.removeprefix("test_").split("_")
        names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
        folder = PACKAGE / inside.parent
        if not any((folder / f"{name}.py").exists() or (folder / name).is_dir() for name in names):
            lost.append(str(inside))
    assert lost == [], "named after no module of the package"


def test_every_model_has_an_oracle_of_its_own() -> None:
    models = {path.stem for path in (PACKAGE / "models").glob("[a-z]*.py")}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "models").glob("test_*.py")}
    assert models - tested == set(), "models without tests/models/test_<name>.py"


def test_versions_agree() -> None:
    version = re.search(r'__version__ = "(.+)"', (PACKAGE / "version.py").read_text(encoding="utf-8"))
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert version and cited and version[1] == cited[1]
