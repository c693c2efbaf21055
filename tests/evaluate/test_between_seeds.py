"""The variance between seeds against the mean squares of a table of users and seeds, and on simulated trainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from recollect.evaluate.between_seeds import NONE, BetweenSeeds, between_seeds, together


def test_parts_are_the_mean_squares_of_the_crossed_table():
    gains = np.random.default_rng(0).normal(0, 1, (4, 30))  # seeds, users
    found = between_seeds(gains, np.ones(30))
    seeds = gains.mean(axis=1, keepdims=True)
    rest = gains - seeds - gains.mean(axis=0) + gains.mean()
    by_seed = 30 * np.square(seeds - gains.mean()).sum() / 3
    by_both = np.square(rest).sum() / (3 * 29)
    assert found.variance == pytest.approx(by_seed / (4 * 30))
    assert found.interaction == pytest.approx(by_both / (4 * 30))
    assert found.freedom == 3


def test_on_average_they_are_what_the_trainings_were_made_with():
    """Seeds move all users by .5 (deviation) and each by 2: variances .25 / 3 and 4 / (3 U), the first with both."""
    random, users = np.random.default_rng(1), 40
    own = random.normal(0, 5, users)
    made = [
        between_seeds(own + random.normal(0, 0.5, (3, 1)) + random.normal(0, 2, (3, users)), np.ones(users))
        for _ in range(3000)
    ]
    interaction = 4 / (3 * users)
    assert np.mean([one.interaction for one in made]) == pytest.approx(interaction, rel=0.03)
    assert np.mean([one.variance for one in made]) == pytest.approx(0.25 / 3 + interaction, rel=0.08)


def test_users_with_more_targets_count_more():
    """The same targets under twice as many users: the mean and its variance between seeds stay."""
    gains = np.random.default_rng(2).normal(0, 1, (3, 60))
    pairs = between_seeds(gains.reshape(3, 30, 2).sum(axis=2), np.full(30, 2))
    assert pairs.variance == pytest.approx(between_seeds(gains, np.ones(60)).variance)
    uneven = between_seeds(np.stack([[3.0, 0.0], [0.0, 1.0], [1.5, 0.5]]), np.array([3, 1]))
    assert uneven.variance == pytest.approx(np.var([3 / 4, 1 / 4, 2 / 4], ddof=1) / 3)


def test_two_runs_together_have_the_freedom_of_welch():
    random = np.random.default_rng(3)
    first, second = random.normal(0, 1, 3), random.normal(0, 4, 6)
    parts = [BetweenSeeds(one.var(ddof=1) / len(one), 0.0, len(one) - 1) for one in (first, second)]
    both = together(parts)
    welch = stats.ttest_ind(first, second, equal_var=False)
    assert both.freedom == pytest.approx(welch.df)
    assert math.sqrt(both.variance) == pytest.approx(abs((first.mean() - second.mean()) / welch.statistic))
    assert both.quantile(0.05) == pytest.approx(stats.t.ppf(0.975, welch.df) * math.sqrt(both.variance))


def test_a_model_without_random_numbers_adds_nothing():
    one = BetweenSeeds(0.3, 0.1, 2)
    assert together([one, NONE]) == one
    assert together([NONE, NONE]) == NONE == together([])
