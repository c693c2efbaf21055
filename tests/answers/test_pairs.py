"""Scores of pairs, against the three verbs and a list of everything."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recollect
from recollect.data.log import DataError
from recollect.train.progress import Silent

from .material import log, past, scores_after, times_of, trained

PAIRS = [("u03", "i05"), ("u01", "i20"), ("u03", "i01"), ("nobody", "i01"), ("u02", "nothing"), ("u03", "i05")]


@pytest.mark.parametrize("name", ["gru4rec", "popularity", "hstu", "itemknn"])
def test_every_pair_has_its_logit_share_and_rank_in_the_order_given(name):
    model = trained(name)
    found = recollect.score(model, PAIRS, log())
    assert found["user"].tolist() == [user for user, _ in PAIRS] and len(found) == len(PAIRS)
    assert found.unknown_users == ("nobody",) and found.unknown_items == ("nothing",)
    for place, row in enumerate(found.rows()):
        user, item = PAIRS[place]
        if "no" in user or "no" in item:
            assert row["logit"] is None and row["rank"] is None and row.get("probability") is None
            continue
        codes = log().item_ids.encode(past(user), unknown=0).tolist()
        scores = scores_after(model.model, codes, times_of(user))
        own = log().item_ids.find(item)
        assert row["logit"] == pytest.approx(scores[own], abs=1e-4) and row["title"] == f"Title {item}"
        if model.model.probabilistic:
            assert row["probability"] == pytest.approx(math.exp(scores[own]) / np.exp(scores).sum(), rel=1e-3)
        else:
            assert "probability" not in row


@pytest.mark.parametrize("name", ["markov", "gru4rec"])
def test_the_rank_is_the_place_in_a_list_of_everything(name):
    """markov scores many items alike, so the order of equals is seen too."""
    model = trained(name)
    (whole,) = model.recommend([past("u04")], times=[times_of("u04")], k=100, seen="allowed")
    found = model.score([("u04", one) for one in model.items.ids.tolist()])
    assert dict(zip(found["item"], found["rank"].tolist(), strict=True)) == {one.item: one.rank for one in whole}


def test_pairs_come_from_files_and_frames(tmp_path):
    model = trained("gru4rec")
    users, items = zip(*PAIRS, strict=True)
    expected = recollect.score(model, PAIRS, log())
    pl.DataFrame({"item_id": items, "user_id": users}).write_csv(tmp_path / "p.csv")
    pl.DataFrame({"item": items, "user": users}).write_parquet(tmp_path / "p.parquet")
    frames = pd.DataFrame({"user": users, "item": items, "n": 1}), pl.DataFrame({"user": users, "item": items})
    for pairs in (tmp_path / "p.csv", str(tmp_path / "p.parquet"), *frames, zip(users, items, strict=True)):
        found = recollect.score(model, pairs, log()).to_polars()
        assert found.select(expected.columns).equals(expected.to_polars(), null_equal=True)


def test_a_frame_keeps_its_columns_and_gets_the_ids_of_the_log_back():
    """A column with a gap is one of floats in pandas: what comes back can be joined with it."""
    draw = np.random.default_rng(0)
    table = {"user": np.repeat(np.arange(100, 120), 5), "item": draw.integers(0, 6, 100), "time": np.arange(100)}
    model = recollect.fit("markov", recollect.read(pl.DataFrame(table)), report=Silent())
    frame = pd.DataFrame({"user": [103.0, np.nan, 99_999.0], "item": [2, 2, 3], "further": ["x", "y", "z"]})
    found = recollect.score(model, frame)
    assert found.to_polars()["user"].to_list() == [103, None, 99_999] and found.unknown_users == (99_999,)
    assert found.to_polars()["further"].to_list() == ["x", "y", "z"] and found.incomplete == 1
    assert len(frame.merge(found.to_pandas(), on=["user", "item", "further"])) == 3


def test_what_is_no_pair_is_one_clear_line():
    model = trained("gru4rec")
    with pytest.raises(DataError, match=r"none of the 2 pairs is known: 1 users are not in walks, 1 items not in the"):
        recollect.score(model, [("x", "i01"), ("u01", "y")], log())
    with pytest.raises(DataError, match=r"expected \(user, item\) tuples"):
        recollect.score(model, [("x", "i01", 3)], log())
    with pytest.raises(DataError, match="no column 'item'; there are 'user', 'thing'"):
        recollect.score(model, pl.DataFrame({"user": ["u01"], "thing": ["i01"]}), log())
    with pytest.raises(DataError, match="a int is no table"):
        recollect.score(model, 3, log())


def test_a_key_of_two_columns_may_be_given_in_its_parts():
    draw = np.random.default_rng(0)
    table = {
        "user": [f"u{user}" for user in range(20) for _ in range(5)],
        "session": [user % 3 for user in range(20) for _ in range(5)],
        "item": [f"i{one}" for one in draw.integers(0, 6, 100)],
        "time": list(range(100)),
    }
    sessions = recollect.read(pl.DataFrame(table), user="user,session", item="item", time="time")
    model = recollect.fit("markov", sessions, report=Silent())
    parts = recollect.score(model, [(("u1", 1), "i2"), (("u7", 1), "i0"), (("u7", 2), "i0")])
    joined = recollect.score(model, [("u1,1", "i2"), ("u7,1", "i0"), ("u7,2", "i0")])
    assert parts["logit"].tolist() == joined["logit"].tolist()
    assert parts["user"].tolist()[:2] == ["u1,1", "u7,1"] and parts.unknown_users == (("u7", 2),)
    assert set(recollect.recommend_all(model, users=[("u1", 1)], seen="allowed")["user"].tolist()) == {"u1,1"}
