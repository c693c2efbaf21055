"""What the documents say is so: the front page's Python runs, every link leads somewhere, the models are listed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import recollect
from recollect import registry

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_python_of_the_front_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"u{user},i{(user + step * step) % 9},{step}" for user in range(30) for step in range(6)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,time", *rows]))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert '"xlstm-lsr"' in code
    exec(code.replace('"xlstm-lsr"', '"markov"'), {})  # the same steps with a model that fits at once
    printed = capsys.readouterr().out
    assert "ndcg@10" in printed.lower() and "seen" in printed.lower()
    assert re.search(r"^1 i\d ", printed, re.MULTILINE)


def test_the_python_of_the_guide_to_recommending_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{user},id{1 + (user + step * step) % 9},{step}" for user in range(30, 60) for step in range(6)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,time", *rows]))
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "guide" / "recommend.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    printed = capsys.readouterr().out
    assert "10 () 0" in printed and re.search(r"^1 id\d ", printed, re.MULTILINE)
    assert (tmp_path / "lists.csv").read_text().count("\n") == 11


@pytest.fixture
def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the guide, as pip would have installed it, and a log beside it."""
    page = (ROOT / "docs" / "guide" / "your-own-model.md").read_text(encoding="utf-8")
    model, script = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (about,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    rows = [f"u{user},i{(user + step * step) % 9},{step}" for user in range(30) for step in range(6)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,time", *rows]))
    (tmp_path / "fading_mean.py").write_text(model)
    (tmp_path / "script.py").write_text(script)
    installed = tmp_path / "fading_mean-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: fading-mean\nVersion: 0.1.0\n")
    (group, points), *others = tomllib.loads(about)["project"]["entry-points"].items()
    assert not others
    (installed / "entry_points.txt").write_text(
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in points.items())])
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_model_of_the_guide_is_compared_in_python_and_by_name(own_model: Path) -> None:
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"fading-mean.*markov", done.stdout), done.stderr
    page = (ROOT / "docs" / "guide" / "your-own-model.md").read_text(encoding="utf-8")
    lines = [line.strip().removeprefix("recollect ") for line in page.splitlines() if line.startswith("    recollect ")]
    said = []
    for line in lines:
        fewer = ["--seeds", "1"] if line.startswith("compare") else []
        done = subprocess.run(
            [sys.executable, "-m", "recollect", *shlex.split(line), *fewer], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "model.width" in said[0] and "fading-mean" in said[1]
    assert (own_model / "runs" / "mine" / "fading-mean" / "seed-0" / "card.json").is_file()


def test_the_model_of_the_guide_keeps_the_laws(own_model: Path) -> None:
    page = (ROOT / "docs" / "guide" / "your-own-model.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (pytest .*)$", page, re.MULTILINE)
    command = [sys.executable, "-m", *shlex.split(line), "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 8  # type: ignore[index]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert lost == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES if (ROOT / "docs") in path.parents}
    assert {page for page in pages - {"README.md"} if f"({page})" not in index} == set()


def test_the_front_page_names_every_model() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    section = page.split("\n## Models\n")[1].split("\n## ")[0]
    assert {name for name in registry.names() if f"`{name}`" not in section} == set()
    assert recollect.__version__.rpartition(".")[0] in page


def test_the_forms_of_times_in_the_guide_are_read() -> None:
    """All of its examples are moments of one day."""
    import polars as pl

    from recollect.data.times.column import read_moments

    page = (ROOT / "docs" / "guide" / "your-own-data.md").read_text(encoding="utf-8")
    lines = page.split("\n## Times\n")[1].split("\n## ")[0].splitlines()
    rows = [line.split("|")[1:3] for line in lines if line.startswith("|")]
    kinds = ("unix times", "ISO dates", "dates with", "names of months", "dates as numbers")
    examples = [
        text for kind, cell in rows if kind.strip().startswith(kinds) for text in re.findall(r"`([^`]+)`", cell)
    ]
    assert len(examples) > 12
    for text in examples:
        moments = read_moments(pl.DataFrame({"time": [text]}))
        assert not list(moments.problems()), text
        assert int(moments.seconds(moments.exact)[0]) // 86_400 == 19_874, text  # 2024-05-31
