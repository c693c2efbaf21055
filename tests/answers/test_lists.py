"""Lists for everybody are the lists for each alone, in a table."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import recollect
from recollect.answers.lists import audience, list_blocks
from recollect.config import ConfigError
from recollect.data.log import DataError, build_log
from recollect.data.splits import loo
from recollect.recommend import recommend
from recollect.train.progress import Silent

from .material import log, past, times_of, trained


def alone(model, user: str, **asked):
    (answer,) = recommend(
        model.model, model.items, [past(user)], times=[times_of(user)], titles=model.titles,
        item_table=model.item_table, **asked
    )  # fmt: skip
    return [(one.rank, one.item, one.title) for one in answer]


@pytest.mark.parametrize("name", ["markov", "gru4rec", "hstu"])
@pytest.mark.parametrize("asked", [{}, {"seen": "allowed", "within": {"genres": "Comedy"}, "deny": ["i05"]}])
def test_everybody_gets_what_each_gets_alone(name, asked):
    model = trained(name)
    table = recollect.recommend_all(model, log(), k=4, **asked)
    assert isinstance(table, recollect.answers.lists.Recommendations)
    rows = list(table.rows())
    assert list(dict.fromkeys(row["user"] for row in rows)) == log().user_ids.ids.tolist()
    for user in ("u00", "u07", "u24"):
        mine = [(row["rank"], row["item"], row["title"]) for row in rows if row["user"] == user]
        assert mine == alone(model, user, k=4, **asked) and mine
    likely = model.model.probabilistic
    assert table.columns == ["user", "rank", "item", "title", "logit", *(["probability"] if likely else [])]
    assert table.users == 25 and table.unknown_users == () and table.unknown_events == 0


def test_users_come_in_the_order_in_which_they_are_named():
    model = trained("markov")
    table = model.recommend_all(users=["u09", "nobody", "u03", "u09"], k=2)
    assert table["user"].tolist() == ["u09", "u09", "u03", "u03"]
    assert table.unknown_users == ("nobody",) and table.users == 2
    assert audience(model, log(), ["u09", "u03", "u09"]).repeated == 1
    with pytest.raises(DataError, match="has none of the 2 users asked for"):
        model.recommend_all(users=["x", "y"])


def test_items_that_are_new_in_a_log_are_counted_and_skipped():
    model = trained("markov")
    newer = build_log(
        np.array(["a", "a", "b"], dtype=object), np.array(["i01", "new", "new"], dtype=object), np.arange(3) * 86_400
    )
    table = model.recommend_all(newer, k=1)
    assert table.unknown_events == 2 and table["user"].tolist() == ["a", "b"]
    assert model.recommend_all(newer, users=["b"], k=1).unknown_events == 1
    (same,) = model.recommend([["i01"]], k=1)
    assert table["item"][0] == same[0].item


def test_a_model_that_learnt_without_times_is_shown_none():
    model = trained("hstu")
    timeless = build_log(log().user_ids.decode(log().users), log().item_ids.decode(log().items), None)
    with_times = recollect.recommend_all(model, log(), k=1)
    without = recollect.recommend_all(model, timeless, k=1)
    assert not np.array_equal(with_times["logit"], without["logit"]), "hstu looks at times"

    class Timeless:
        def __getattr__(self, name):
            return False if name == "clock" else getattr(model, name)

    assert np.array_equal(recollect.recommend_all(Timeless(), log(), k=1)["logit"], without["logit"])


def test_a_list_of_nothing_is_an_empty_table():
    table = trained("markov").recommend_all(allow=["unknown"])
    assert len(table) == 0 and table.columns[:3] == ["user", "rank", "item"]


def test_blocks_are_the_table_in_pieces(tmp_path):
    model = trained("gru4rec")
    blocks = list(list_blocks(model, audience(model, log()), k=3))
    table = model.recommend_all(k=3)
    assert np.array_equal(np.concatenate([one["logit"] for one in blocks]), table["logit"])
    table.write(tmp_path / "lists.csv")
    read = pl.read_csv(tmp_path / "lists.csv")
    assert read.columns == table.columns and read["item"].to_list() == table["item"].tolist()


def test_a_kept_model_wants_a_log(tmp_path):
    trained("markov").save(tmp_path / "kept")
    kept = recollect.load(tmp_path / "kept")
    with pytest.raises(ConfigError, match="kept without its log"):
        kept.recommend_all()
    mine = kept.recommend_all(log(), k=2, within={"genres": "Horror"})
    assert mine["item"].tolist() == trained("markov").recommend_all(k=2, within={"genres": "Horror"})["item"].tolist()


def test_ids_that_became_floats_are_known_as_on_the_command_line():
    users, items = np.repeat([12346, 12347], 4), np.tile(np.array(["7", "9", "22", "A"], dtype=object), 2)
    whole = build_log(users, items, np.arange(8), name="shop")
    model = recollect.fit("popularity", loo(whole), report=Silent())
    asked = ["12347.0", 12346.0, "12347,0", "nobody"]
    found = model.recommend_all(whole, users=asked, seen="allowed")
    assert list(dict.fromkeys(found["user"].tolist())) == [12347, 12346] and found.unknown_users == ("nobody",)
    scores = model.score([("12347.0", "7.0"), ("12346", 9.0), (12347.0, "A"), ("12346.5", "A")], whole)
    assert scores["logit"].mask.tolist() == [False, False, False, True] and scores.unknown_users == ("12346.5",)
    (answer,) = model.recommend([["7.0", 22.0, "B"]], allow=["9.0", "A"])
    assert answer.unknown == ("B",) and {one.item for one in answer} == {"9", "A"}
