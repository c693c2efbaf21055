"""Metrics against ir-measures, against arithmetic done by hand, and errors against resampled data."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError
from recollect.evaluate.ledger import MISS, Ledger, concat
from recollect.evaluate.metrics import NAMES, clustered_error, gains, measure, measure_runs
from recollect.evaluate.protocol import Protocol

PROTOCOL = Protocol("toy", "0" * 12, "loo, test", "file", "hidden", "unused")
THEIR_NAMES = {"hr": "Success", "recall": "R", "precision": "P", "ndcg": "nDCG", "mrr": "RR"}


def ledger(ranks, users=None, run="a", seed=0) -> Ledger:
    ranks = np.asarray(ranks, dtype=np.int32)
    users = np.arange(len(ranks)) if users is None else np.asarray(users)
    place = np.arange(len(ranks))
    name = np.full(len(ranks), run, dtype=object)
    return Ledger(name, np.full(len(ranks), seed), users, users * 10, place + 1, place, ranks, {run: PROTOCOL})


def their_figures(ranks: list[int], names: list[str], items: int = 60) -> dict[str, float]:
    """What ir-measures makes of the same ranks, given whole lists of scores."""
    qrels, run = [], []
    for target, place in enumerate(ranks):
        qrels.append(ir_measures.Qrel(str(target), "target", 1))
        missed = place == MISS
        others = items if missed else items - 1
        scores = [float(items - position) for position in range(items)]
        if not missed:
            run.append(ir_measures.ScoredDoc(str(target), "target", scores.pop(place - 1)))
        run += [ir_measures.ScoredDoc(str(target), f"d{k}", scores[k]) for k in range(others)]
    asked = {}
    for name in names:
        kind, _, cutoff = name.partition("@")
        asked[name] = ir_measures.parse_measure(f"{THEIR_NAMES[kind]}@{cutoff}" if cutoff else "AP")
    found = ir_measures.calc_aggregate(list(asked.values()), qrels, run)
    return {name: found[measure] for name, measure in asked.items()}


@given(st.lists(st.one_of(st.integers(1, 60), st.just(MISS)), min_size=1, max_size=20))
def test_every_metric_is_that_of_ir_measures(ranks):
    ours = measure(ledger(ranks))
    for name, value in their_figures(ranks, list(NAMES)).items():
        assert ours[name] == pytest.approx(value, abs=1e-9), name


def test_by_hand():
    ranks = np.array([1, 2, 10, 11, MISS], dtype=np.int32)
    assert gains("hr@10", ranks).tolist() == [1, 1, 1, 0, 0]
    assert gains("precision@5", ranks).tolist() == [0.2, 0.2, 0, 0, 0]
    assert gains("ndcg@10", ranks) == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(11), 0, 0])
    assert gains("mrr@20", ranks) == pytest.approx([1, 1 / 2, 1 / 10, 1 / 11, 0])
    assert gains("map", ranks) == pytest.approx([1, 1 / 2, 1 / 10, 1 / 11, 0])
    assert measure(ledger(ranks)).misses == 1


@pytest.mark.parametrize("name", ["ndgc@10", "ndcg", "ndcg@0", "ndcg@ten", "map@10", ""])
def test_an_unknown_metric_is_named(name):
    with pytest.raises(ValueError, match="no metric is called"):
        gains(name, np.array([1]))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=30))
def test_error_with_one_question_a_user_is_the_textbook_one(ranks):
    gain = gains("ndcg@10", np.array(ranks))
    assert measure(ledger(ranks)).errors["ndcg@10"] == pytest.approx(gain.std(ddof=1) / np.sqrt(len(ranks)))


def test_asking_everybody_twice_the_same_adds_no_evidence():
    ranks = np.random.default_rng(0).integers(1, 30, 100)
    once, twice = measure(ledger(ranks)), measure(ledger(np.tile(ranks, 2), np.tile(np.arange(100), 2)))
    assert twice["hr@10"] == pytest.approx(once["hr@10"])
    assert twice.errors["hr@10"] == pytest.approx(once.errors["hr@10"])
    assert (twice.users, twice.targets) == (100, 200)


def test_clustered_error_is_the_spread_of_the_mean_over_fresh_users():
    """Users with tastes of their own and unequal numbers of targets, drawn again and again."""
    random = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(600):
        counts = random.integers(1, 8, 150)
        user = np.repeat(np.arange(150), counts)
        gain = (random.random(len(user)) < np.repeat(random.beta(0.5, 1, 150), counts)).astype(float)
        means.append(gain.mean())
        errors.append(clustered_error(gain, user))
    assert np.mean(errors) == pytest.approx(np.std(means, ddof=1), rel=0.1)
    naive = np.sqrt(0.25 / 600)
    assert np.mean(errors) > 1.2 * naive  # and it is not the error of independent targets


def test_seeds_share_their_users():
    random = np.random.default_rng(2)
    ranks = [random.integers(1, 30, 50) for _ in range(3)]
    several = measure(concat([ledger(one, seed=k) for k, one in enumerate(ranks)]))
    each = [measure(ledger(one))["ndcg@10"] for one in ranks]
    assert several["ndcg@10"] == pytest.approx(np.mean(each))
    assert several.seed_spread["ndcg@10"] == pytest.approx(np.std(each, ddof=1))
    assert (several.users, several.targets, several.seeds) == (50, 50, (0, 1, 2))
    assert measure(ledger(ranks[0])).seed_spread == {}


def test_runs_are_not_mixed():
    both = concat([ledger([1, 1], run="a"), ledger([30, 30], run="b")])
    with pytest.raises(ValueError, match="one run"):
        measure(both)
    assert {run: m["hr@10"] for run, m in measure_runs(both).items()} == {"a": 1.0, "b": 0.0}


def test_printed_with_its_error():
    text = str(measure(ledger([1, 30])))
    assert "HR@10         .5000 ± .5000" in text
    assert measure(ledger([1, 1])).text("hr@5") == "1.0000 ± .0000"


def test_nobody_asked_is_an_error_and_not_a_nan():
    with pytest.raises(ValueError, match="nobody"):
        measure(ledger([]))


def test_one_name_is_one_metric_and_what_is_no_ledger_is_said() -> None:
    one = ledger([1, 4, 20])
    assert measure(one, "hr@10").values == measure(one, ["hr@10"]).values
    with pytest.raises(ConfigError, match="measure: a ledger is expected, as rank gives it, not list"):
        measure([1, 2])  # type: ignore[arg-type]
