"""`fit`: one verb for counting models and networks, from a log or a split; what it validates and what it tells."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recollect.artifact import load
from recollect.config import ConfigError, plain
from recollect.contracts import Counting
from recollect.data.histories import Targets
from recollect.data.log import build_log
from recollect.data.sources import read
from recollect.data.splits import everything, loo
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.evaluate.settings import EvaluateSettings
from recollect.study.scoring import whole_log
from recollect.study.settings import settings_in
from recollect.train.fit import _some, best_so_far, fit
from recollect.train.loop import Interrupted
from recollect.train.progress import Silent

from .material import SMALL, log, run, settings


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def test_a_counting_model_is_fitted_in_one_pass() -> None:
    trained = fit("markov", log())
    assert isinstance(trained.model, Counting) and trained.history == [] and trained.best_epoch == 0
    assert trained.peak_bytes > 0


def test_the_figures_of_the_best_epoch_are_those_of_the_model_that_comes_back() -> None:
    trained, split = run("mlstm4rec", epochs=4, learning_rate=0.02), loo(log())
    best = trained.history[trained.best_epoch - 1]
    assert best["ndcg@10"] == max(row["ndcg@10"] for row in trained.history)
    figures = measure(rank(trained.model, split.log, split.validation, seen="allowed"), ["hr@10", "ndcg@10"])
    assert figures["ndcg@10"] == pytest.approx(best["ndcg@10"]) and figures["hr@10"] == pytest.approx(best["hr@10"])


def test_memory_and_size_are_told_before_it_starts() -> None:
    report = Notes()
    run("gru4rec", report=report, epochs=1)
    assert "parameters" in report.texts[0] and "of memory" in report.texts[0]


def test_validation_users_are_drawn_once_by_seed() -> None:
    targets = Targets(np.repeat(np.arange(50), 2), np.arange(100))
    one, two = (_some(targets, settings(validation_users=7)) for _ in range(2))
    assert len(np.unique(one.users)) == 7 and len(one) == 14, "all targets of a chosen user"
    assert np.array_equal(one.positions, two.positions)
    other = _some(targets, settings(validation_users=7, seed=1))
    assert not np.array_equal(one.users, other.users)
    assert _some(targets, settings(validation_users=50)) is targets


@pytest.mark.parametrize("name, model, message", [
    ("xlstm", {}, "no model is called 'xlstm'"),
    ("gru4rec", {"widht": 3}, r"model\.widht: unknown setting; did you mean 'width'"),
    ("gru4rec", {"dropout": 1.0}, r"model\.dropout"),
])  # fmt: skip
def test_wrong_names_are_refused_before_anything_is_done(name: str, model: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(name, log(), settings(), model=model)


def test_settings_may_be_plain_values() -> None:
    trained = fit("gru4rec", loo(log()), {"epochs": 1, "accelerator": "cpu"}, model=SMALL["gru4rec"], seen="allowed")
    assert len(trained.history) == 1
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown"):
        fit("gru4rec", log(), {"epoch": 1})


def test_it_tells_how_it_goes_unless_it_is_silenced(capsys: pytest.CaptureFixture[str]) -> None:
    fit("gru4rec", log(), settings(epochs=2), model=SMALL["gru4rec"], seen="allowed")
    lines = capsys.readouterr().err.splitlines()
    assert "parameters" in lines[0] and [line[:9] for line in lines[1:]] == ["epoch 1/2", "epoch 2/2"]
    fit("markov", log())
    assert "markov: fitted on" in capsys.readouterr().err
    fit("markov", log(), report=Silent())
    assert capsys.readouterr().err == ""


def test_with_nothing_held_out_it_trains_to_the_last_epoch() -> None:
    changes = {"epochs": 4, "patience": 1, "validate_every": 1}
    trained = fit(
        "gru4rec", everything(log()), settings(**changes), model=SMALL["gru4rec"], seen="allowed", report=Silent()
    )
    assert len(trained.history) == 4 and trained.best_epoch == 0
    assert all("ndcg@10" not in row and row["targets"] == len(log()) for row in trained.history)


def test_it_stops_after_an_epoch_at_the_rates_of_all() -> None:
    """The first two epochs of four, then, and not a run of two."""
    trained = run("gru4rec", epochs=4, stop_after=2, patience=9)
    whole = run("gru4rec", epochs=4, patience=9)
    assert [row["loss"] for row in trained.history] == [row["loss"] for row in whole.history[:2]]
    assert [row["loss"] for row in run("gru4rec", epochs=2, patience=9).history] != [
        row["loss"] for row in trained.history
    ]


class Interrupts(Silent):
    """Presses Ctrl-C at a step of an epoch, and keeps the weights that were best before it."""

    def __init__(self, epoch: int, by: signal.Signals = signal.SIGINT) -> None:
        self.at, self.by, self.pressed = epoch, by, False

    def step(self, place: Any, steps: int) -> None:
        if place.epoch == self.at and place.step == 3 and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), self.by)


def test_interrupted_without_a_folder_it_gives_back_the_best() -> None:
    rows = {"epochs": 6, "patience": 6, "learning_rate": 0.05}
    whole = run("gru4rec", **rows)
    scores = [row["ndcg@10"] for row in whole.history]
    for epoch in (2, 5):
        with pytest.warns(UserWarning, match=r"interrupted: gru4rec has the weights of epoch \d, the best of"):
            trained = run("gru4rec", report=Interrupts(epoch), **rows)
        best = int(np.argmax(scores[:epoch])) + 1
        assert trained.interrupted and not whole.interrupted
        assert trained.best_epoch == best and len(trained.history) == epoch
        stopped = run("gru4rec", **rows, stop_after=best)  # ends with the best of so many, which is its last
        for name, tensor in stopped.model.tensors().items():
            assert torch.equal(trained.model.tensors()[name], tensor), name
        assert not trained.model.training  # type: ignore[attr-defined]


def test_interrupted_in_the_first_epoch_it_says_that_nobody_knows() -> None:
    with pytest.warns(UserWarning, match="before any validation"):
        trained = run("gru4rec", report=Interrupts(0))
    assert trained.interrupted and trained.best_epoch == 0 and trained.history == []
    split = loo(log())
    assert measure(rank(trained.model, split.log, split.validation, seen="allowed")).targets > 0


def test_a_termination_is_no_wish_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run("gru4rec", report=Interrupts(1, signal.SIGTERM))
    with pytest.raises(Interrupted):
        run("gru4rec", folder=tmp_path, report=Interrupts(1))


ALLOWED = EvaluateSettings(seen="allowed")


def test_the_best_so_far_of_a_checkpoint_is_that_of_the_interrupted_run(tmp_path: Path) -> None:
    rows = {"epochs": 6, "patience": 6, "learning_rate": 0.05}
    with pytest.raises(Interrupted):
        run("gru4rec", tmp_path, Interrupts(4), **rows)
    with pytest.warns(UserWarning):
        expected = run("gru4rec", report=Interrupts(4), **rows)
    found = best_so_far("gru4rec", SMALL["gru4rec"], loo(log()), settings(**rows), ALLOWED, tmp_path)
    assert found.best_epoch == expected.best_epoch and found.interrupted and len(found.history) == 4
    assert found.settings["evaluate"] == plain(ALLOWED)
    for name, tensor in expected.model.tensors().items():
        assert torch.equal(found.model.tensors()[name], tensor), name
    with pytest.raises(ConfigError, match="another training settings"):
        best_so_far("gru4rec", SMALL["gru4rec"], loo(log()), settings(), ALLOWED, tmp_path)


def test_without_a_validated_epoch_there_is_no_best(tmp_path: Path) -> None:
    asked = ("gru4rec", SMALL["gru4rec"], loo(log()), settings(), ALLOWED, tmp_path)
    with pytest.raises(ConfigError, match="no checkpoint was written yet"):
        best_so_far(*asked)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        run("gru4rec", tmp_path, Interrupts(0))
    with pytest.raises(ConfigError, match="no epoch of it has been validated yet.*--resume"):
        best_so_far(*asked)  # type: ignore[arg-type]


def test_one_negative_shared_by_all_is_refused_before_any_step_and_no_matter_to_a_counting_model() -> None:
    one = {"kind": "bce", "negatives": 1}
    with pytest.raises(ConfigError, match="shared_negatives=false"):
        run("gru4rec", loss=one)
    assert (
        fit("popularity", log(), settings(loss={"kind": "bce", "negatives": 1}), report=Silent()).name == "popularity"
    )
    trained = run("gru4rec", epochs=1, loss={**one, "shared_negatives": False})
    assert len(trained.history) == 1


def test_a_model_kept_from_python_knows_how_its_log_was_read(tmp_path: Path) -> None:
    lines = [f"{user};{(user + turn) % 7};2024-05-{turn + 10}" for user in range(9) for turn in range(5)]
    (tmp_path / "log.csv").write_text("Kunde;Artikelnummer;bestellt\n" + "\n".join(lines))
    options = {"user": "Kunde", "item": "Artikelnummer", "time": "bestellt"}
    trained = fit("popularity", read(tmp_path / "log.csv", **options), report=Silent())
    kept = load(trained.save(tmp_path / "kept"))
    assert kept.settings["data"] == options
    assert len(whole_log(kept, str(tmp_path / "log.csv"))) == len(lines)
    with pytest.raises(ConfigError, match="kept from Python"):
        settings_in(tmp_path / "kept")


@pytest.mark.parametrize("given, message", [
    ({"settings": {"loss.kind": "bce"}}, r"train\.loss\.kind: a setting inside another is given inside it, as {'loss'"),
    ({"settings": 5}, r"train: settings are given by name, as {'epochs': \.\.\.}, not as int"),
    ({"settings": "epochs=3"}, "train: settings are given by name, .* not as str"),
    ({"model": 5}, "model: settings are given by name, .* not as int"),
    ({"data": "ml-100k"}, r"a log is expected, not str; recollect\.read"),
])  # fmt: skip
def test_what_cannot_be_meant_is_said_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit("sasrec", **{"data": log(), "report": Silent(), **given})


def test_a_repeat_head_learns_that_users_go_their_own_ways_again() -> None:
    """Everybody goes round the same eight items in an order of their own: only a user's own past tells what is next."""
    draw = np.random.default_rng(0)
    rounds = np.concatenate([np.tile(draw.permutation(8), 4) for _ in range(60)])
    split = loo(build_log(np.repeat(np.arange(60), 32), rounds, np.arange(len(rounds))))

    def first_of_all(repeat: int) -> float:
        trained = fit(
            "gru4rec", split, settings(epochs=6), model=SMALL["gru4rec"] | {"repeat": repeat}, seen="allowed",
            report=Silent(),
        )  # fmt: skip
        return float((rank(trained, split.log, split.validation, seen="allowed").rank == 1).mean())

    assert first_of_all(20) > 0.9
    assert first_of_all(0) < 0.4
