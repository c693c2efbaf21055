"""Personal popularity against the definition in plain loops; its probabilities; what it says without a clock."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import ConfigError, decode
from recollect.contracts import Catalog, Events
from recollect.counting import scoring
from recollect.data.histories import Ragged
from recollect.models.personal_popularity import PersonalPopularity
from recollect.models.popularity import Popularity

from ..counting.material import SIZE, Rows, ragged, rows_of_items

DAY = 86_400


def fitted(rows: Rows, **settings: object) -> PersonalPopularity:
    model = PersonalPopularity(decode(PersonalPopularity.Config, settings, where="model"), Catalog(SIZE))
    log = ragged(rows)
    model.fit(Ragged(log.items, log.times + 7 * DAY, log.offsets))
    return model


def shares(rows: Rows, history: list[int], times: list[int], config: PersonalPopularity.Config) -> np.ndarray:
    """P(v) of every item: (n_v + strength q_v) / (n + strength), event by event."""
    counts = np.bincount([item for row in rows for item in row], minlength=SIZE) + 1.0
    everybody = counts[1:] / counts[1:].sum()
    own = np.zeros(SIZE)
    for place, (item, time) in enumerate(zip(history, times, strict=True)):
        worth = config.decay ** (len(history) - 1 - place)
        if config.half_life is not None:
            worth *= 0.5 ** ((times[-1] - time) / DAY / config.half_life)
        own[item] += worth
    return (own[1:] + config.strength * everybody) / (own.sum() + config.strength)


@given(
    rows=rows_of_items,
    asked=rows_of_items,
    settings=st.sampled_from([{}, {"decay": 1.0}, {"decay": 0.5, "strength": 0.1}, {"half_life": 2.0, "decay": 0.9}]),
    seed=st.integers(0, 99),
)
def test_scores_are_the_logs_of_the_definition(rows: Rows, asked: Rows, settings: dict[str, float], seed: int) -> None:
    model = fitted(rows, **settings)
    draw = np.random.default_rng(seed)
    times = [np.sort(draw.integers(10**9, 10**9 + 9 * DAY, len(history))).tolist() for history in asked]
    scores = model.score(model.advance(model.fresh(len(asked)), Events.of(asked, times)))
    for history, when, row in zip(asked, times, scores, strict=True):
        assert np.allclose(row[1:].exp().numpy(), shares(rows, history, when, model.config), rtol=1e-4, atol=1e-7)
        assert float(row.exp().sum()) == pytest.approx(1, abs=1e-5)
    assert (scores[:, 0] == -torch.inf).all()


def test_items_not_met_stand_in_the_order_of_everybody_s_choice() -> None:
    rows = [[1, 2, 2, 3, 3, 3], [4, 4, 4, 4]]
    model, everybody = fitted(rows, strength=0.5), Popularity(Popularity.Config(), Catalog(SIZE))
    everybody.fit(ragged(rows))
    mine, all_ = (m.score(m.advance(m.fresh(1), Events.of([[1, 1, 5]])))[0] for m in (model, everybody))
    unmet = [code for code in range(1, SIZE) if code not in (1, 5)]
    assert mine[unmet].argsort(stable=True).tolist() == all_[unmet].argsort(stable=True).tolist()
    assert mine[1:].argsort(descending=True)[:2].tolist() == [0, 4]  # codes 1 and 5
    torch.testing.assert_close(model.score(model.fresh(1)), everybody.score(everybody.fresh(1)))


def test_of_two_items_met_as_often_the_later_one_is_likelier_unless_nothing_fades() -> None:
    rows = [[1, 2, 3]]
    for decay, likelier in ((0.9, True), (1.0, False)):
        model = fitted(rows, decay=decay)
        score = model.score(model.advance(model.fresh(1), Events.of([[1, 2]])))[0]
        assert bool(score[2] > score[1]) == likelier


def test_clocks_that_go_back_stand_still_and_the_first_event_has_no_age() -> None:
    model = fitted([[1, 2, 3]], half_life=1.0, decay=1.0)
    late, early = 10**9, 10**9 - 5 * DAY
    one = model.advance(model.fresh(2), Events.of([[1, 2, 3], []], [[late, early, late], []]))
    assert one["counts"][0, -3:].tolist() == [1, 1, 1] and one["time"].tolist() == [late, 0]
    two = model.advance(one, Events.of([[4], [5]], [[late + DAY], [-DAY]]))
    assert two["counts"][0, -4:].tolist() == [0.5, 0.5, 0.5, 1] and two["counts"][1, -1] == 1
    assert two["time"].tolist() == [late + DAY, -DAY]


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(1, SIZE, 20).tolist() for _ in range(10)]
    model = fitted(rows, history=4)
    state = model.advance(model.fresh(10), Events.of(rows))
    whole, some = model.score(state), model.score(state, items=torch.tensor([3, 1]))
    monkeypatch.setattr(scoring, "CELLS", 3 * SIZE)
    assert torch.equal(whole, model.score(state)) and torch.equal(some, model.score(state, items=torch.tensor([3, 1])))
    assert model.score(model.fresh(0)).shape == (0, SIZE)


def test_weights_count_in_what_everybody_chose() -> None:
    model = PersonalPopularity(PersonalPopularity.Config(), Catalog(4))
    log = Ragged(np.array([1, 2, 3]), np.array([5, 6, 7]), np.array([0, 3]), np.array([0.0, 2.0, 1.0], np.float32))
    model.fit(log)
    assert model.tensors()["counts"].tolist() == [0, 0, 2, 1]


def test_a_log_without_clock_is_answered() -> None:
    order = Ragged(np.array([1, 2, 2, 3, 2]), np.array([0, 1, 2, 0, 1]), np.array([0, 3, 3, 5]))
    PersonalPopularity(PersonalPopularity.Config(), Catalog(5)).fit(order)
    with pytest.raises(ConfigError, match="clock"):
        PersonalPopularity(PersonalPopularity.Config(half_life=3), Catalog(5)).fit(order)


@pytest.mark.parametrize(
    "values", [{"history": 0}, {"decay": 0}, {"decay": 1.01}, {"half_life": 0}, {"strength": 0}, {"strenght": 1}]
)
def test_settings_out_of_range(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        decode(PersonalPopularity.Config, values, where="model")
