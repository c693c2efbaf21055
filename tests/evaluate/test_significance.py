"""Tests of significance against scipy, exact enumeration, and their own promises on simulated null data."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recollect.data.log import DataError
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import gains
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.significance import compare, holm, paired_bootstrap, paired_permutation

PROTOCOL = Protocol("toy", "0" * 12, "loo, test", "file", "hidden", "unused")


def ledger(ranks, run, *, users=None, seed=0, item=None, protocol=PROTOCOL) -> Ledger:
    count = len(ranks)
    users = np.arange(count) if users is None else np.asarray(users)
    item = np.ones(count, dtype=np.int64) if item is None else item
    length = np.array([int((users[:k] == users[k]).sum()) for k in range(count)], dtype=np.int64)
    name = np.full(count, run, dtype=object)
    ranks = np.asarray(ranks, dtype=np.int32)
    return Ledger(name, np.full(count, seed), users, users, item, length, ranks, {run: protocol})


def test_bootstrap_interval_is_that_of_scipy():
    differences = np.random.default_rng(0).exponential(1, 80) - 0.8
    ours = paired_bootstrap(differences, draws=20_000)
    theirs = stats.bootstrap((differences,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.02 * np.ptp(ours))


def test_bootstrap_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    inside = 0
    for trial in range(400):
        low, high = paired_bootstrap(random.normal(0.3, 1, 60), draws=400, seed=trial)
        inside += low <= 0.3 <= high
    assert 0.91 <= inside / 400 <= 0.98  # 95 %, four standard errors of the count, a little short for 60 users


def test_weighted_bootstrap_draws_users_and_not_targets():
    """A user with many targets comes or goes as a whole."""
    differences, weights = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), np.array([100, 1, 1, 1, 1])
    low, high = paired_bootstrap(differences, weights, draws=4000)
    assert low == 0.0  # (4/5)^5 = a third of the draws miss that user
    assert high > 0.99


def test_permutation_is_exact_enumeration():
    differences = np.random.default_rng(2).normal(0.5, 1, 10)
    flipped = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=10)]
    exact = np.mean(np.array(flipped) >= abs(differences.sum()) - 1e-12)
    assert paired_permutation(differences, draws=40_000) == pytest.approx(exact, abs=0.01)


def test_permutation_under_no_difference_is_uniform_at_its_worst():
    random = np.random.default_rng(3)
    p = np.array([paired_permutation(random.normal(0, 1, 40), draws=199, seed=s) for s in range(600)])
    for level in (0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) <= 4 * np.sqrt(level * (1 - level) / 600)


def test_permutation_extremes():
    assert paired_permutation(np.zeros(10)) == 1.0
    assert paired_permutation(np.ones(40), draws=999) == pytest.approx(1 / 1000)
    assert paired_permutation(np.array([0.1, -0.1]), draws=99) == 1.0


def test_tests_are_seeded_and_do_not_depend_on_how_draws_are_cut(monkeypatch):
    differences = np.random.default_rng(4).normal(0.1, 1, 50)
    before = paired_bootstrap(differences, draws=500), paired_permutation(differences, draws=500)
    monkeypatch.setattr("recollect.evaluate.significance._CELLS", 50 * 100)
    assert (paired_bootstrap(differences, draws=500), paired_permutation(differences, draws=500)) == before


@pytest.mark.parametrize("bad", [[1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_input_that_cannot_be_tested_is_refused(bad):
    for test in (paired_bootstrap, paired_permutation):
        with pytest.raises(ValueError, match="need"):
            test(np.array(bad))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_rejects(p):
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True)) and max(adjusted) <= 1
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
            if p[index] * (len(p) - step) > level:
                break
            rejected.add(index)
        assert {k for k, a in enumerate(adjusted) if a <= level} == rejected


def test_compare_finds_the_planted_difference():
    random = np.random.default_rng(5)
    base = random.integers(1, 60, 3000)
    ledgers = [
        ledger(base, "base"),
        ledger(random.permutation(base), "same"),
        ledger(np.maximum(1, base - 3), "better"),
    ]
    same, better = compare(concat(ledgers), "base", metric="ndcg@10", draws=2000)
    gain = gains("ndcg@10", np.maximum(1, base - 3)) - gains("ndcg@10", base)
    assert better.difference == pytest.approx(gain.mean())
    assert better.better and better.low < better.difference < better.high and better.p_holm < 0.01
    assert not same.better and same.low < 0 < same.high and same.p > 0.01
    assert better.p_holm == pytest.approx(2 * better.p)
    assert "better - base, NDCG@10" in better.line() and "only 1 seed" in better.line()


def test_compare_averages_seeds_and_weighs_users_by_their_targets():
    users = [0, 0, 0, 1, 2]
    base = [ledger([1, 30, 30, 30, 1], "base", users=users, seed=s) for s in range(3)]
    run = [ledger([1, 1, 30, 30, 30] if s else [1, 30, 30, 30, 1], "run", users=users, seed=s) for s in range(3)]
    (found,) = compare(concat(base + run), "base", metric="hr@10", draws=200)
    assert found.difference == pytest.approx(((2 / 3) - (2 / 3)) / 5)
    assert (found.users, found.seeds) == (3, 3)
    assert "only" not in found.line()


def test_rows_in_another_order_are_paired_right():
    random = np.random.default_rng(6)
    ranks = random.integers(1, 30, 200)
    order = random.permutation(200)
    mixed = ledger(ranks[order], "run", users=order)
    (found,) = compare(concat([ledger(ranks, "base"), mixed]), "base", draws=100)
    assert found.difference == 0.0 and (found.low, found.high) == (0.0, 0.0) and found.p == 1.0


def test_what_was_not_asked_alike_is_not_compared():
    ranks = [1, 2, 3]
    fewer, other_item = ledger(ranks[:2], "run"), ledger(ranks, "run", item=np.array([1, 1, 9]))
    used = ledger(ranks, "run", protocol=dataclasses.replace(PROTOCOL, request_time="used"))
    for bad, why in ((fewer, "users"), (other_item, "targets"), (used, "request_time")):
        with pytest.raises(DataError, match=why):
            compare(concat([ledger(ranks, "base"), bad]), "base")
    with pytest.raises(DataError, match=r"'run' and 'base' .*request_time: 'used' and 'unused'"):
        compare(concat([ledger(ranks, "base"), used]), "base")
    (allowed,) = compare(concat([ledger(ranks, "base"), used]), "base", allow=("request_time",), draws=50)
    assert "NOT ALIKE in request_time" in allowed.line()


def test_seeds_that_were_asked_different_users_are_refused():
    uneven = concat([ledger([1, 2, 3], "base"), ledger([1, 2], "base", seed=1), ledger([1, 2, 3], "run")])
    with pytest.raises(DataError, match="same targets with every seed"):
        compare(uneven, "base")
