"""The vectors are those behind the scores: users times items gives back every logit, of every model that has them."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

import recollect
from recollect.answers.vectors import HasUserVectors
from recollect.config import ConfigError
from recollect.contracts import Network
from recollect.nn.clock import TimeSettings
from recollect.registry import model_class, names

from ..conformance.subjects import unsettle
from .material import UNBORN, log, past, scores_after, times_of, trained


def has_vectors(name: str) -> bool:
    return issubclass(model_class(name), Network) or hasattr(model_class(name), "user_vectors")


WITH = [name for name in names() if name not in UNBORN and has_vectors(name)]
WITHOUT = [name for name in names() if name not in UNBORN and not has_vectors(name)]


def test_there_are_models_of_both_kinds():
    assert {"xlstm-lsr", "sasrec", "bert4rec", "svd", "nmf", "pmf", "bpr"} <= set(WITH)
    assert {"popularity", "markov", "itemknn"} <= set(WITHOUT)


@pytest.mark.parametrize("name", WITH)
def test_users_times_items_are_the_logits(name):
    model = trained(name)
    users = ["u11", "u02", "u20"]
    items, people = recollect.vectors(model), recollect.user_vectors(model, log(), users=users)
    assert items["item"].tolist() == log().item_ids.ids.tolist()
    assert people["user"].tolist() == users
    logits = np.float64(people["vector"]) @ np.float64(items["vector"]).T
    if "bias" in items.columns:
        logits += items["bias"]
    for row, user in enumerate(users):
        codes = log().item_ids.encode(past(user), unknown=0).tolist()
        expected = scores_after(model.model, codes, times_of(user))[1:]
        assert logits[row] == pytest.approx(expected, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("at", [None, 1_800_000_000])
def test_users_are_what_is_scored_at_the_time_of_asking(at):
    told = trained("mlstm4rec", width=8, time=TimeSettings(gaps=True, stream=True, request=True))
    model = copy.deepcopy(told.model)
    unsettle(model)
    told = dataclasses.replace(told, model=model)
    people, items = told.user_vectors(users=["u11", "u02"], at=at), told.vectors()
    logits = np.float64(people["vector"]) @ np.float64(items["vector"]).T
    pairs = [("u11", item) for item in items["item"].tolist()]
    assert logits[0] == pytest.approx(told.score(pairs, at=at)["logit"].tolist(), abs=1e-4)
    other = told.user_vectors(users=["u11"], at=1_900_000_000)["vector"][0]
    assert np.abs(other - people["vector"][0]).max() > 1e-3, "else this shows nothing"


def test_everybody_has_a_vector_and_a_file_of_them_reads_back(tmp_path):
    model = trained("gru4rec")
    table = model.user_vectors()
    assert table["user"].tolist() == log().user_ids.ids.tolist() and table["vector"].shape == (25, 8)
    one = model.user_vectors(users=["u07"])["vector"][0]
    assert np.allclose(table["vector"][7], one, atol=1e-6)
    table.write(tmp_path / "u.parquet")
    assert np.array_equal(np.stack(table.to_polars()["vector"].to_list()), table["vector"])


@pytest.mark.parametrize("name", WITHOUT)
def test_a_model_without_vectors_says_so(name):
    assert not isinstance(trained(name).model, HasUserVectors)
    for ask in (recollect.vectors, recollect.user_vectors):
        with pytest.raises(ConfigError, match=rf"{name} has no (item )?vectors.*take a network or a factorisation"):
            ask(trained(name))
