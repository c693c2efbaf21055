"""`Trained` and `Artifact` answer alike, and as the functions do."""

from __future__ import annotations

import numpy as np
import pytest

import recollect
from recollect.answers.answering import Answering

from .material import log, past, trained


@pytest.fixture
def pair(tmp_path):
    """A trained model, and the same one after a trip to disk."""
    model = trained("gru4rec")
    model.save(tmp_path / "kept")
    return model, recollect.load(tmp_path / "kept")


def test_a_kept_model_answers_as_the_trained_one(pair):
    model, kept = pair
    assert isinstance(model, Answering) and isinstance(kept, Answering)
    asked = {"k": 3, "within": {"genres": "Drama"}, "deny": ["i02"]}
    assert model.recommend([past("u01"), []], **asked) == kept.recommend([past("u01"), []], **asked)
    assert list(model.recommend_all(**asked).rows()) == list(kept.recommend_all(log(), **asked).rows())
    assert model.similar("Title i03") == kept.similar("i03")
    pairs = [("u01", "i01"), ("u02", "i02")]
    assert list(model.score(pairs).rows()) == list(kept.score(pairs, log()).rows())
    assert np.array_equal(model.vectors()["vector"], kept.vectors()["vector"])
    assert np.array_equal(model.user_vectors()["vector"], kept.user_vectors(log())["vector"])
    assert model.explain(past("u01"), k=2) == kept.explain(past("u01"), k=2)


def test_lists_hide_what_was_had_or_not_as_in_training(pair):
    model, kept = pair
    import dataclasses

    settings = {**model.settings, "evaluate": {"seen": "allowed"}}
    free = dataclasses.replace(model, seen="allowed", settings=settings)
    free.save(kept.folder.with_name("free"))
    for one in (free, recollect.load(kept.folder.with_name("free"))):
        assert one.seen == "allowed"
        (answer,) = one.recommend([past("u01")], k=100)
        assert len(answer) == len(log().item_ids)
        (answer,) = one.recommend([past("u01")], k=100, seen="hidden")
        assert not {row.item for row in answer} & set(past("u01"))
    assert kept.seen == "hidden"
    (answer,) = kept.recommend([past("u01")], k=100)
    assert not {row.item for row in answer} & set(past("u01"))
