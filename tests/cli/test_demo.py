"""`recollect demo` in small: the table, the protocol line, a list, and commands that can be typed as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from recollect.data.simulate.generator import SimulateConfig, simulate
from recollect.study import demo

from .conftest import Command

SMALL = {
    "popularity": {},
    "markov": {},
    "sasrec": {"model": {"width": 8}, "train": {"epochs": 1}},
    "xlstm-lsr": {"model": {"width": 8, "blocks": 1}, "train": {"epochs": 1}},
}


def test_the_demonstration_shows_the_whole_path(
    recollect: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world = SimulateConfig(users=40, items=30, topics=3, mean_events=12)
    monkeypatch.setattr(demo.run_demo, "__kwdefaults__", {"world": world, "recipes": SMALL})
    said = recollect("demo", "--out", "model")
    assert said.code == 0, said.err
    for word in (
        *SMALL,
        "best possible",
        "100%",
        "split loo, test",
        "95 % interval",
        "logit",
        "probability",
        "History",
    ):
        assert word in said.out, word
    # The log of the run is named `simulated`, which stands for the whole world: give the small one to the commands.
    monkeypatch.setattr("recollect.study.scoring.read_data", lambda settings: simulate(world).log)
    typed = [shlex.split(line) for line in said.out.splitlines() if line.startswith("  recollect ")]
    assert len(typed) == 4
    for words in typed[:3]:
        assert recollect(*words[1:]).code == 0, words
