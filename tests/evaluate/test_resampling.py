"""The bootstrap and the sign-flip test against scipy, exact enumeration, and drawing user by user as a reader would."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from recollect.evaluate.metrics import gains
from recollect.evaluate.resampling import VALUES, flipped_means, paired_bootstrap, paired_permutation


def user_by_user(differences: np.ndarray, weights: np.ndarray, draws: int) -> np.ndarray:
    """The readable form: the means of users drawn with replacement, one after the other."""
    random = np.random.default_rng(99)
    drawn = random.integers(0, len(differences), (draws, len(differences)))
    return (differences * weights)[drawn].sum(axis=1) / weights[drawn].sum(axis=1)


def differences_of(users: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Of NDCG@10, averaged over seeds: with one seed few values, with three many."""
    random = np.random.default_rng(seed)
    ranks = 1 + np.floor(np.exp(random.normal(3.0, 2.0, (2, seeds, users)))).astype(np.int64)
    mine, base = (gains("ndcg@10", one).mean(axis=0) for one in ranks)
    return mine - base


def test_bootstrap_interval_is_that_of_scipy():
    differences = np.random.default_rng(0).exponential(1, 80) - 0.8
    ours = paired_bootstrap(differences, draws=20_000)
    theirs = stats.bootstrap((differences,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.02 * np.ptp(ours))


CASES = {
    "few values": (differences_of(600, 1), np.ones(600)),
    "many values": (differences_of(600, 3), np.ones(600)),
    "few values and weights": (differences_of(600, 1), np.repeat([1.0, 2.0], 300)),
    "no two users alike": (
        np.random.default_rng(1).exponential(1, 600) - 1,
        np.random.default_rng(2).integers(1, 60, 600).astype(np.float64),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_drawing_values_is_drawing_users(name):
    differences, weights = CASES[name]
    means = user_by_user(differences, weights, 20_000)
    for level in (0.5, 0.9, 0.95):  # at the ends of the last 20,000 draws know a quantile to .02 deviations
        wanted = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        found = paired_bootstrap(differences, weights, level=level, draws=50_000)
        assert found == pytest.approx(tuple(wanted), abs=0.08 * means.std())


def test_the_cases_are_drawn_both_ways():
    values = {name: len(np.unique(np.stack([d, w]), axis=1).T) for name, (d, w) in CASES.items()}
    assert values["few values"] <= VALUES < values["many values"] and values["no two users alike"] > 4 * VALUES


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


@pytest.mark.parametrize("name", CASES)
def test_flipping_values_is_flipping_users(name):
    differences, weights = CASES[name]
    random = np.random.default_rng(3)
    signs = random.choice([-1.0, 1.0], (10_000, len(differences)))
    slowly = np.abs(signs @ (differences * weights)) / weights.sum()
    flipped = flipped_means(differences, weights)
    for share in (0.5, 0.95, 0.99):
        assert np.quantile(flipped, share) == pytest.approx(np.quantile(slowly, share), rel=0.06)


def test_permutation_under_no_difference_is_uniform_at_its_worst():
    random = np.random.default_rng(3)
    p = np.array([paired_permutation(random.normal(0, 1, 40), draws=199, seed=s) for s in range(600)])
    for level in (0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) <= 4 * np.sqrt(level * (1 - level) / 600)


def test_permutation_extremes():
    assert paired_permutation(np.zeros(10)) == 1.0
    assert paired_permutation(np.ones(40), draws=999) == pytest.approx(1 / 1000)
    assert paired_permutation(np.array([0.1, -0.1]), draws=99) == 1.0


@pytest.mark.parametrize("users", [50, 1500])
def test_tests_are_seeded_and_do_not_depend_on_how_draws_are_cut(monkeypatch, users):
    differences = np.random.default_rng(4).normal(0.1, 1, users)
    before = paired_bootstrap(differences, draws=500), paired_permutation(differences, draws=500)
    monkeypatch.setattr("recollect.evaluate.resampling._CELLS", 50 * 100)
    after = paired_bootstrap(differences, draws=500), paired_permutation(differences, draws=500)
    assert after[0] == pytest.approx(before[0], rel=1e-12) and after[1] == before[1]
    assert paired_bootstrap(differences, draws=500, seed=1) != before[0]


@pytest.mark.parametrize("bad", [[1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_input_that_cannot_be_tested_is_refused(bad):
    for test in (paired_bootstrap, paired_permutation):
        with pytest.raises(ValueError, match="need"):
            test(np.array(bad))


@pytest.mark.parametrize("seeds", [1, 3])
def test_very_many_users_cost_next_to_nothing(seeds):
    """49 seconds where every user was drawn; of the processor's time, for others may be at work here."""
    differences = differences_of(200_000, seeds)
    begun = time.process_time()
    low, high = paired_bootstrap(differences)
    assert time.process_time() - begun < 1
    error = differences.std() / np.sqrt(len(differences))  # so many users are as good as normal
    wanted = differences.mean() - 1.96 * error, differences.mean() + 1.96 * error
    assert (low, high) == pytest.approx(wanted, abs=0.1 * error)
