"""Random: even over scores, items and users, another list for another history, and the same for the same one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.contracts import Catalog, Events
from recollect.data.histories import Ragged
from recollect.models.random import Random, mixed

SIZE = 101
STEP = 0x9E3779B97F4A7C15
histories = st.lists(st.lists(st.integers(1, SIZE - 1), max_size=9), min_size=1, max_size=4)


def scores(rows: list[list[int]], seed: int = 0) -> np.ndarray:
    model = Random(Random.Config(), Catalog(SIZE))
    torch.manual_seed(seed)
    model.fit(Ragged(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64)))
    return model.score(model.advance(model.fresh(len(rows)), Events.of(rows))).numpy()[:, 1:]


def people(count: int) -> list[list[int]]:
    draw = np.random.default_rng(5)
    return [draw.integers(1, SIZE, 3).tolist() for _ in range(count)]


@given(histories, histories)
def test_the_state_is_a_polynomial_of_the_history(first: list[list[int]], then: list[list[int]]) -> None:
    users = min(len(first), len(then))
    model = Random(Random.Config(), Catalog(SIZE))
    state = model.advance(model.fresh(users), Events.of(first[:users]))
    state = model.advance(state, Events.of(then[:users]))
    for user in range(users):
        key = 0
        for item in first[user] + then[user]:
            key = (key * STEP + item) % 2**64
        assert int(state["key"][user]) % 2**64 == key


def test_mixing_is_splitmix64() -> None:
    seed, found = 1234567, []  # the reference implementation's first numbers for this seed
    for step in (1, 2, 3):
        found.append(int(mixed(np.array([(seed + step * STEP) % 2**64], np.uint64))[0]))
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_scores_are_even() -> None:
    drawn = scores(people(2000))
    # 200,000 scores in 50 cells of 4,000 each: chi-square of 49 degrees has the mean 49 and the deviation 9.9.
    counts, _ = np.histogram(drawn, 50, (0, 1))
    assert counts.sum() == drawn.size and ((counts - 4000) ** 2 / 4000).sum() < 49 + 5 * 9.9


def test_every_item_is_first_equally_often() -> None:
    first = np.bincount(scores(people(20_000)).argmax(1), minlength=100)
    assert ((first - 200) ** 2 / 200).sum() < 99 + 5 * 14.1


def test_lists_of_different_histories_have_nothing_to_do_with_each_other() -> None:
    near = scores([[1, 2], [2, 1], [1, 2, 2], [1], [2], [1, 3], []])
    apart = np.corrcoef(near) - np.eye(len(near))
    assert np.abs(apart).max() < 0.45  # 100 items: a deviation of .1


@pytest.mark.parametrize("other", [1, 2])
def test_another_seed_gives_other_lists(other: int) -> None:
    assert abs(np.corrcoef(scores([[1, 2]])[0], scores([[1, 2]], other)[0])[0, 1]) < 0.45
    assert np.array_equal(scores([[1, 2]], other), scores([[1, 2]], other))


def test_everybody_without_history_has_one_list() -> None:
    both = scores([[], []])
    assert np.array_equal(both[0], both[1]) and torch.unique(torch.from_numpy(both[0])).numel() == SIZE - 1
