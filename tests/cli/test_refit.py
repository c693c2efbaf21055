"""`recollect refit` from a run's folder alone, what it prints, and what may be asked of what it made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recollect.artifact import load

from .conftest import Command


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_run_is_refitted_and_recommends(recollect: Command, run: Path) -> None:
    said = recollect("refit", run)
    events = load(run).card["learnt"]["events"] + load(run).card["learnt"]["held out"]
    assert said.code == 0 and f"It has learnt from all {events:,} events" in said.out
    assert "recollect evaluate" not in said.out
    assert "1 epoch, as validation found best" in said.err
    refitted = run.with_name("run-refit")
    (line,) = (line for line in said.out.splitlines() if "recollect recommend" in line)
    assert str(refitted) in line and recollect("recommend", refitted, "--user", 3).code == 0
    said = recollect("evaluate", refitted)
    assert said.code == 2 and f"evaluate {run} instead" in said.error


def test_json_has_no_figures(recollect: Command, run: Path, tmp_path: Path) -> None:
    said = recollect("refit", run, "--out", tmp_path / "out", "--json")
    assert said.code == 0 and said.json["validation"] is None and said.json["learnt"]["held out"] == 0
    assert said.json["folder"] == str(tmp_path / "out")


def test_an_unfinished_run_is_no_ground_for_a_refit(recollect: Command, run: Path) -> None:
    (run / "card.json").unlink()
    said = recollect("refit", run)
    assert said.code == 1 and "has not ended yet" in said.error


def test_rows_that_cannot_be_read_may_be_left_out_of_the_newer_log(
    recollect: Command, run: Path, log_file: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer.csv"
    newer.write_text(log_file.read_text() + "5,item 3,0\n5,item 4,yesterday\n5,item 3,1780000000\n")
    said = recollect("refit", run, "--data", newer, "--out", tmp_path / "out")
    assert said.code == 1 and "--on-bad skip" in said.err
    said = recollect("refit", run, "--data", newer, "--on-bad", "skip", "--out", tmp_path / "out", "--json")
    events = load(run).card["learnt"]["events"] + load(run).card["learnt"]["held out"]
    assert said.code == 0 and said.json["learnt"]["events"] == events + 1
    assert load(tmp_path / "out").settings["data"]["on_bad"] == "skip"
    said = recollect("refit", run, "--targets", "buy", "--out", tmp_path / "wrong")
    assert said.code in (1, 2) and not (tmp_path / "wrong").exists()


def test_a_newest_file_of_another_form_stops_a_job_whose_run_skips_bad_rows(
    recollect: Command, log_file: Path, tmp_path: Path
) -> None:
    weeks = tmp_path / "weeks"
    weeks.mkdir()
    shutil.copy(log_file, weeks / "KW9.csv")
    data = ["--data", weeks, "--on-bad", "skip"]
    assert recollect("train", "popularity", *data, "--out", tmp_path / "run").code == 0
    (weeks / "KW10.csv").write_text("user,item,time\n5,item 3,20/05/2024\n6,item 4,21/05/2024\n")
    said = recollect("refit", tmp_path / "run")
    assert said.code == 1 and f"{weeks / 'KW10.csv'} line 2: '20/05/2024' in column 'time'" in said.err.splitlines()[-1]
    said = recollect("refit", tmp_path / "run", "--on-bad", "skip-files")
    assert said.code == 0 and f"files that give no event: 1, first rows {weeks / 'KW10.csv'} line 2" in said.err
