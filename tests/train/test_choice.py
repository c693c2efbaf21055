"""`fit` is asked for a model by name, by class, or by its settings, and each way gives the same model."""

from __future__ import annotations

import warnings
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from recollect import registry
from recollect.artifact import ArtifactError, load
from recollect.config import ConfigError, Settings
from recollect.contracts import Recommender
from recollect.models.gru4rec import GRU4Rec
from recollect.models.markov import Markov
from recollect.models.popularity import Popularity
from recollect.models.sasrec import SASRec
from recollect.models.svd import SVD
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


def test_a_config_that_a_subclass_takes_over_is_not_guessed_at() -> None:
    class Heir(SVD):
        """It defines no Config, so Heir.Config() is SVD.Config()."""

    with pytest.raises(ConfigError, match=r"is the Config of SVD and of Heir, which takes it over; name the class"):
        chosen(Heir.Config(), None)
    for kind in (Heir, SVD):
        assert chosen(kind, SVD.Config(width=3))[1:] == (kind, SVD.Config(width=3))


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


def test_keeping_a_class_of_ones_own_warns_until_it_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = fit(Own, log(), report=Silent())
    with pytest.warns(
        UserWarning, match=r"no model is registered as 'Own'.*recollect\.models.*Own = .*test_choice:Own"
    ):
        trained.save(tmp_path / "kept")
    with pytest.raises(ArtifactError, match="no model is called 'Own'"):
        load(tmp_path / "kept")
    point = EntryPoint("Own", f"{Own.__module__}:Own", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "_foreign", lambda: {"Own": point})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.save(tmp_path / "again")
    for folder in ("kept", "again"):
        assert isinstance(load(tmp_path / folder).model, Own)
