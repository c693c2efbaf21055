"""`recollect demo` in small: the table, the protocol line, a list, and commands that can be typed as they stand."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path

import pytest

from recollect.cli.demo import Whole
from recollect.data.simulate.generator import SimulateConfig, simulate
from recollect.study import demo
from recollect.train.checkpoint import Progress

from ..serve.forked import forked_server
from .conftest import Command

SMALL = {
    "popularity": {},
    "markov": {},
    "sasrec": {"model": {"width": 8}, "train": {"epochs": 1}},
    "xlstm-lsr": {"model": {"width": 8, "blocks": 1}, "train": {"epochs": 1}},
}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulateConfig:
    monkeypatch.chdir(tmp_path)
    world = SimulateConfig(users=40, items=30, topics=3, mean_events=12)
    monkeypatch.setitem(demo.run_demo.__kwdefaults__, "world", world)
    monkeypatch.setitem(demo.run_demo.__kwdefaults__, "recipes", SMALL)
    # The source of the run stands for the whole world of the demonstration: give the small one to the commands.
    monkeypatch.setattr("recollect.study.read_again.read_data", lambda settings, **more: simulate(world).log)
    return world


def test_the_demonstration_shows_the_whole_path(recollect: Command, small: SimulateConfig) -> None:
    said = recollect("demo", "--out", "model")
    assert said.code == 0, said.err
    for word in (
        *SMALL,
        "best possible",
        "100%",
        "split loo, test",
        "95 % interval",
        "with this training of xlstm-lsr",
        "logit",
        "probability",
        "History",
    ):
        assert word in said.out, word
    lines = [line for line in said.out.splitlines() if line.startswith("  recollect ")]
    typed = [shlex.split(line, comments=True) for line in lines]
    assert [words[1] for words in typed] == ["recommend", "recommend", "evaluate", "replay", "serve", "train"]
    for words in typed[:4]:
        assert recollect(*words[1:]).code == 0, words
    with forked_server(Path("model"), "model-store") as (_, client):
        assert typed[4][2:] == ["model", "--store", "model-store"]
        assert client.get("/recommendations?user=u0002")["source"] == "memory"


def test_ctrl_c_keeps_what_there_is(recollect: Command, small: SimulateConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(self: Whole, place: Progress, steps: int) -> None:
        if self.name == "xlstm-lsr":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Whole, "step", press)
    said = recollect("demo", "--out", "model", "--json")
    assert said.code == 130
    shown = json.loads(said.out)
    assert [row["model"] for row in shown["rows"]] == ["popularity", "markov", "sasrec", "best possible"]
    assert shown["comparison"] is None
    assert "train --resume" in said.err and said.err.count("error:") == 1
    words = shlex.split(said.err.partition("To go on:")[2].partition(";")[0])
    assert words[:3] == ["recollect", "train", "--resume"] and (Path(words[3]) / "run.toml").is_file()


def test_ctrl_c_before_any_network_is_there(
    recollect: Command, small: SimulateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Whole, "step", lambda self, place, steps: os.kill(os.getpid(), signal.SIGINT))
    said = recollect("demo", "--out", "model")
    assert said.code == 130
    assert "markov" in said.out and "best possible" in said.out and "sasrec" not in said.out
    assert "logit" not in said.out and not Path("model").exists()


def test_the_time_left_is_that_of_all_models() -> None:
    """Where the shares are right, so is the time from the first step on; where they are wrong, from the last model."""
    for truth in (4.0, 8.0):
        report = Whole({"small": 1.0, "large": 4.0}, epochs=2)
        report.begin("free")
        report.begin("small")
        # 10 s for the small one, `truth` times as many for the large one; 5 steps an epoch.
        place = Progress(epoch=0, step=3, seconds=3.0)
        _, left = report.ahead(place, 5, elapsed=3.0)
        assert left == pytest.approx(7 + 40)
        report.begin("large")
        whole = 10 * truth
        for epoch, step in ((0, 1), (1, 0), (1, 4)):
            part = (epoch * 5 + step) / 10
            done, left = report.ahead(Progress(epoch=epoch, step=step, seconds=whole * part), 5, 10 + whole * part)
            assert left == pytest.approx(whole * (1 - part))
            assert done == pytest.approx(1 + 4 * part)
