"""A newer log that is written otherwise than the run's can be read by whatever takes one with --data."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from typer.main import get_command

from recollect.cli.main import app

from .conftest import Command

ROLES = {"user", "item", "items", "users"}
"""Options of reading whose names may mean something else to a command."""


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy: scorings are noted in the folder."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture
def newer(log_file: Path, tmp_path: Path) -> Path:
    """The log with a later day, its times under another name and in another form, and one row that has none."""
    head, *rows = log_file.read_text().splitlines()
    assert head == "user,item,time"
    cells = [row.rsplit(",", 1) for row in rows]
    lines = [f"{left};{int(time)}" for left, time in cells] + ["3,item 4;01.06.2030 10:00", "3,item 5;soon"]
    place = tmp_path / "newer.csv"
    place.write_text("user,item,when\n" + "".join(f"{_day(line)}\n" for line in lines))
    return place


def _day(line: str) -> str:
    left, when = line.split(";")
    if not when.isdigit():
        return f"{left},{when}"
    return f"{left},{datetime.datetime.fromtimestamp(int(when), datetime.UTC):%d.%m.%Y %H:%M}"


READ = ("--time", "when", "--time-format", "%d.%m.%Y %H:%M", "--on-bad", "skip")


@pytest.mark.parametrize(
    "asked",
    [
        ("recommend", "--user", 3),
        ("recommend", "--all", "--out", "lists.csv"),
        ("score", "--pairs", "pairs.csv"),
        ("vectors", "--users", "--out", "users.npy"),
        ("evaluate", "--since", "2025-01-01"),
    ],
    ids=lambda asked: asked[0],
)
def test_a_newer_log_is_read_as_it_is_said(
    recollect: Command,
    run: Path,
    newer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.csv").write_text("user,item\n3,item 4\n")
    verb, *options = asked
    said = recollect(verb, run, *options, "--data", newer)
    assert said.code == 1 and "--" in said.err.splitlines()[-1], "an option is named"
    said = recollect(verb, run, *options, "--data", newer, *READ)
    assert said.code == 0, said.err
    assert "columns: user = user, item = item, time = when" in said.err and "dropped: 1 x" in said.err
    if verb == "evaluate":
        assert "| 1 users |" in said.out


def test_options_of_reading_hold_for_runs_side_by_side(
    recollect: Command, trained: Path, log_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text(log_file.read_text().replace(",", ";") + "3;item 4;soon\n")
    runs = trained, tmp_path / "run"
    assert recollect("train", "markov", "--data", log_file, "--out", runs[1]).code == 0
    plain = recollect("evaluate", *runs, "--on", "validation", "--data", log_file, "--json")
    again = recollect("evaluate", *runs, "--on", "validation", "--data", other, "--on-bad", "skip", "--json")
    assert plain.code == again.code == 0
    assert [row["values"] for row in plain.json["rows"]] == [row["values"] for row in again.json["rows"]]
    assert recollect("evaluate", *runs, "--on", "validation", "--data", other).code == 1


def test_what_reads_no_log_refuses_them(recollect: Command, trained: Path, tmp_path: Path) -> None:
    said = recollect("recommend", trained, "--history", "item 3", "--on-bad", "skip")
    assert said.code == 2 and said.error == (
        "error: --on-bad: says how a log is read, and none is read for --history; leave it out"
    )
    said = recollect("vectors", trained, "--out", tmp_path / "items.npy", "--time-zone", "UTC")
    assert (
        said.code == 2
        and "--time-zone: says how a log is read, and none is read for the vectors of items" in said.error
    )
    assert not (tmp_path / "items.npy").exists()


def test_every_command_that_takes_a_log_takes_the_options_that_errors_name() -> None:
    from recollect.cli.reading import OPTIONS

    found = 0
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        known = {one.name for one in command.params}
        if "data" not in known or name == "demo":
            continue
        found += 1
        assert known >= OPTIONS.keys() - ROLES, name
    assert found >= 8
