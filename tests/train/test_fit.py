"""`fit`: one verb for counting models and networks, from a log or a split; what it validates and what it tells."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.config import ConfigError
from recollect.contracts import Counting
from recollect.data.histories import Questions
from recollect.data.splits import loo
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.train.fit import _some, fit
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
    questions = Questions(np.repeat(np.arange(50), 2), np.arange(100))
    one, two = (_some(questions, settings(validation_users=7)) for _ in range(2))
    assert len(np.unique(one.users)) == 7 and len(one) == 14, "all questions of a chosen user"
    assert np.array_equal(one.positions, two.positions)
    other = _some(questions, settings(validation_users=7, seed=1))
    assert not np.array_equal(one.users, other.users)
    assert _some(questions, settings(validation_users=50)) is questions


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
