"""`fit` is asked for a model by name, by class, or by its settings, and each way gives the same model."""

from __future__ import annotations

from typing import Any

import pytest

from recollect.config import ConfigError, Settings
from recollect.contracts import Recommender
from recollect.models.gru4rec import GRU4Rec
from recollect.models.markov import Markov
from recollect.models.popularity import Popularity
from recollect.models.sasrec import SASRec
from recollect.registry import model_class, name_of, names
from recollect.train.choice import chosen
from recollect.train.fit import fit
from recollect.train.progress import Silent

from .material import log


class Own(Popularity):
    """A class that is registered nowhere."""

    class Config(Popularity.Config):
        extra: int = 1


@pytest.mark.parametrize("asked, fields", [
    ("sasrec", {"width": 8}),
    (SASRec, {"width": 8}),
    (SASRec, SASRec.Config(width=8)),
    ("sasrec", SASRec.Config(width=8)),
    (SASRec.Config(width=8), None),
])  # fmt: skip
def test_every_way_of_asking_is_the_same(asked: Any, fields: Any) -> None:
    assert chosen(asked, fields) == ("sasrec", SASRec, SASRec.Config(width=8))


def test_a_config_shared_by_inheritance_knows_its_own_model() -> None:
    assert chosen(GRU4Rec.Config(), None)[:2] == ("gru4rec", GRU4Rec)
    assert chosen(Own.Config(extra=3), None) == ("Own", Own, Own.Config(extra=3))


@pytest.mark.parametrize("name", names())
def test_a_class_has_the_name_it_is_registered_under(name: str) -> None:
    assert name_of(model_class(name)) == name


def test_a_class_of_nobody_has_no_name() -> None:
    assert name_of(Own) is None


class Loose(Settings):
    pass


@pytest.mark.parametrize("asked, fields, message", [
    (Loose(), None, "Loose is nested in no model class"),
    (SASRec.Config(), {"width": 8}, "leave model= out"),
    (SASRec, GRU4Rec.Config(), r"GRU4Rec\.Config holds no settings of sasrec"),
    (Recommender.fresh, None, "a model is named"),
    (None, None, "a model is named"),
    (SASRec, {"widht": 1}, r"model\.widht: unknown setting; did you mean 'width'"),
])  # fmt: skip
def test_what_is_no_model_is_refused(asked: Any, fields: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(asked, fields)


def test_fit_takes_a_class_of_ones_own() -> None:
    trained = fit(Own, log(), model={"smoothing": 2.0}, report=Silent())
    assert isinstance(trained.model, Own) and trained.name == "Own" and trained.model.config.smoothing == 2
    assert fit(Markov, log(), report=Silent()).name == "markov"
