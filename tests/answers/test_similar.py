"""Items alike: cosines of networks and factorisations by hand, counts as they were counted, and one-line refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import recollect
from recollect.answers.similar import cosines
from recollect.config import ConfigError
from recollect.data.log import DataError

from .material import log, trained


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "svd", "nmf", "pmf", "bpr"])
def test_vectors_are_compared_by_their_cosine(name):
    model = trained(name)
    found = recollect.similar(model, "i03", k=30)
    table = model.vectors()
    vectors = {one: np.float64(vector) for one, vector in zip(table["item"], table["vector"], strict=True)}
    own = vectors.pop("i03")
    cosine = {
        one: float(own @ vector / np.linalg.norm(own) / np.linalg.norm(vector))
        for one, vector in vectors.items()
        if np.linalg.norm(vector) > 0
    }
    assert found.measure == "cosine of the item vectors" and found.title == "Title i03"
    assert [one.rank for one in found] == list(range(1, len(cosine) + 1))
    assert {one.item: one.similarity for one in found} == pytest.approx(cosine, abs=1e-6)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert found[0].title == f"Title {found[0].item}"


def test_an_item_is_named_by_id_or_title():
    model = trained("markov")
    assert recollect.similar(model, "title I03").item == recollect.similar(model, "i03").item == "i03"
    with pytest.raises(DataError, match="no item has the id or title 'i99'"):
        recollect.similar(model, "i99")
    with pytest.raises(ValueError, match="k must be"):
        recollect.similar(model, "i03", k=0)


def test_a_session_shows_what_is_like_what():
    found = trained("markov").similar("i03", k=2)
    lines = repr(found).splitlines()
    assert "Title i03 (id i03)" in lines[1] and found.measure in lines[2]
    assert [line.split()[:2] for line in lines[-2:]] == [["1", found[0].item], ["2", found[1].item]]
    assert "<table>" in found._repr_html_()


def test_itemknn_says_whom_the_same_users_met():
    found = trained("itemknn").similar("i03", k=30)
    offsets, items, train = log().offsets, log().items, trained("itemknn").split.train_ends
    met = [set(items[a:b].tolist()) for a, b in zip(offsets[:-1], train, strict=True)]
    own = log().item_ids.find("i03")
    having = {code: {u for u, codes in enumerate(met) if code in codes} for code in range(1, log().item_ids.size)}
    expected = {
        log().item_ids.decode(code): len(having[own] & users) / np.sqrt(len(having[own]) * len(users))
        for code, users in having.items()
        if code != own and having[own] & users
    }
    assert {one.item: one.similarity for one in found} == pytest.approx(expected) and found.measure.startswith("cosine")


def test_markov_says_what_follows():
    model = trained("markov", gaps=1, shrink=1e-9, source_power=0.0, target_power=0.0)
    train = model.split.train
    follows: dict[str, int] = {}
    for row in train:
        for before, after in itertools.pairwise(row.tolist()):
            if log().item_ids.decode(before) == "i05":
                name = log().item_ids.decode(after)
                follows[name] = follows.get(name, 0) + 1
    follows.pop("i05", None)
    assert follows and {one.item: one.similarity for one in model.similar("i05", k=30)} == pytest.approx(follows)


def test_ease_says_its_weights():
    model = trained("ease")
    found = model.similar("i05", k=30)
    weights = model.model.table("weights")[log().item_ids.find("i05")]
    assert [one.similarity for one in found] == sorted((w for w in weights.tolist() if w > 0), reverse=True)


def test_only_some_items_may_be_answers():
    model = trained("gru4rec")
    found = model.similar("i03", k=30, within={"genres": "Horror"}, deny=["i04"])
    horror = {one for one, genre in zip(model.items.ids, model.item_table["genres"], strict=True) if genre == "Horror"}
    assert {one.item for one in found} == horror - {"i03", "i04"}


@pytest.mark.parametrize("name", ["popularity", "random", "userknn"])
def test_a_model_that_compares_no_items_says_so(name):
    with pytest.raises(ConfigError, match=f"{name} does not compare items; take"):
        recollect.similar(trained(name), "i03")


def test_an_item_without_direction_is_like_nothing():
    table = np.array([[0.0, 0], [1, 0], [0, 0], [-2, 0]])
    assert cosines(table, 1).tolist() == [-np.inf, 1, -np.inf, -1]
    assert cosines(table, 2).tolist() == [-np.inf] * 4
