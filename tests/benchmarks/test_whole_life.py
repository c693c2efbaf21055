"""The study of a whole life in small: every row is trained once, asked with what it may know, and kept."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from recollect.data.simulate.generator import SimulateConfig, simulate
from recollect.evaluate.ledger import Ledger
from recollect.study.settings import settings_in

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "whole_life.py"
MODELS = {"xlstm-lsr": {"width": 8, "blocks": 1, "recent": 4}, "sasrec": {"width": 8}, "hstu": {"width": 8}}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    log = simulate(SimulateConfig(users=30, items=30, topics=3, mean_events=12)).log
    users, items = log.user_ids.decode(log.users), log.item_ids.decode(log.items)
    rows = [f"{user},{item},{time}" for user, item, time in zip(users, items, log.times.tolist(), strict=True)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,time", *rows]) + "\n")
    lines = [f'[data]\nsource = "{tmp_path / "log.csv"}"', "[train]\nepochs = 1\nbatches.tokens = 256"]
    lines += ['[evaluate]\nseen = "allowed"']
    for name, fields in MODELS.items():
        lines += [f"[models.{name}.model]", *(f"{field} = {value}" for field, value in fields.items())]
    (tmp_path / "study.toml").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_every_row_knows_what_it_may(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = [study / "study.toml", "--out", study / "out", "--lengths", 4, "--windows", 5]
    run(monkeypatch, *call)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")]
    known = {line.split("|")[1].strip(" `"): line.split("|")[2].strip() for line in table}
    assert known == {
        "xlstm-lsr, trained whole, asked last 4": "last 4",
        "xlstm-lsr, trained whole, asked whole": "whole",
        "xlstm-lsr, trained and asked last 4": "last 4",
        "sasrec, window 5": "last 5",
        "hstu, window 5": "last 5",
        "markov": "whole",
        "personal-popularity": "whole",
    }
    short = settings_in(study / "out" / "xlstm-lsr" / "last-4" / "seed-0")
    assert short.train.batches.context == short.evaluate.history == 4
    ranks = {path: path.read_bytes() for path in (study / "out" / "ranks").rglob("*.parquet")}
    assert len(ranks) == len(known) and all(len(Ledger.load(path)) for path in ranks)

    monkeypatch.setattr("recollect.study.run.run", None)  # nothing is trained twice
    run(monkeypatch, *call)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")] == table


def test_listed_it_does_nothing(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, study / "study.toml", "--out", study / "out", "--parts", "once", "--lengths", 4, "--list")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all("to be trained" in line for line in said) and not (study / "out").exists()
