"""The simulator's log obeys its own rules, and every knob does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.config import ConfigError, decode
from recollect.data.log import build_log
from recollect.data.simulate.generator import SimulateConfig, Simulation, simulate
from recollect.data.simulate.world import DAY, FIRST_DAY, SESSION_CAP

SMALL = SimulateConfig(
    users=300,
    items=60,
    topics=5,
    mean_events=30,
    facets=2,
    contrast=1.2,
    zipf=0.5,
    drift=0.2,
    short_lived=0.3,
    profiles=4,
    repeat_lag=8,
    span_days=360,
    gap_days=6,
    seed=3,
)


@pytest.fixture(scope="module")
def small() -> Simulation:
    return simulate(SMALL)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_same_seed_same_log_and_other_seed_another() -> None:
    one, two, other = simulate(SMALL), simulate(SMALL), simulate(SMALL.model_copy(update={"seed": 2}))
    assert one.log.digest == two.log.digest != other.log.digest
    assert one.log.titles().tolist() == two.log.titles().tolist()
    np.testing.assert_array_equal(one.log.times, two.log.times)


def test_the_default_log_is_frozen() -> None:
    """Scores are compared across versions: a change of this digest is a change of the benchmark, and is announced."""
    log = simulate().log
    assert log.digest == "f374fecd326c"
    assert 78 < len(log) / 1500 < 82


def test_log_obeys_the_order_rules(small: Simulation) -> None:
    log = small.log
    assert [column.dtype.name for column in (log.users, log.items, log.times)] == ["int32", "int32", "int64"]
    assert log.items.min() >= 1 and log.items.max() < log.item_ids.size == 61
    shuffle = np.random.default_rng(0).permutation(len(log))
    again = build_log(
        log.user_ids.decode(log.users)[shuffle], log.item_ids.decode(log.items)[shuffle], log.times[shuffle]
    )
    np.testing.assert_array_equal(again.users, log.users)
    np.testing.assert_array_equal(again.times, log.times)
    np.testing.assert_array_equal(again.item_ids.decode(again.items), log.item_ids.decode(log.items))
    assert sorted(log.item_ids.ids.tolist()) == log.item_ids.ids.tolist()
    assert (log.user_ids.ids[0], log.item_ids.ids[-1]) == ("u0001", "i0060")
    same_user = np.diff(log.users) == 0
    assert (np.diff(log.times)[same_user] >= 30).all(), "no ties, so their order cannot matter"
    assert np.diff(log.offsets).min() >= SMALL.min_events


def test_a_day_holds_one_session(small: Simulation) -> None:
    log = small.log
    _, sizes = np.unique(log.users.astype(np.int64) * 10**6 + log.times // DAY, return_counts=True)
    assert sizes.max() <= SESSION_CAP
    long = simulate(SMALL.model_copy(update={"mean_session": 1e9, "mean_events": 100.0}))
    _, sizes = np.unique(long.log.users.astype(np.int64) * 10**6 + long.log.times // DAY, return_counts=True)
    assert sizes.max() == SESSION_CAP


def test_life_spans_are_respected(small: Simulation) -> None:
    born, dies = small.lifespans[small.log.items].T
    assert ((born <= small.log.times) & (small.log.times < dies)).all()
    spans = small.lifespans[1:]
    mortal = (spans[:, 0] > FIRST_DAY) | (spans[:, 1] < np.iinfo(np.int64).max)
    assert 0.1 < mortal.mean() <= SMALL.short_lived + 0.05
    immortal = small.world.alive.all(0).reshape(SMALL.topics, -1)
    assert (immortal.sum(1) >= 3).all(), "a choice must be left when the last item and its sequel are barred"


def test_items_are_readable(small: Simulation) -> None:
    titles, table = small.log.titles()[1:], small.log.item_table
    assert len(set(titles)) == 60 and all(titles)
    assert table is not None and len(set(table["genre"])) == SMALL.topics
    slots = small.world.slot_of_code[1:]
    for code, after in enumerate(small.world.sequels[slots], start=1):
        if after >= 0:
            assert table["series"][code - 1] == table["series"][small.world.code_of_slot[after] - 1]
    many = simulate(SMALL.model_copy(update={"items": 20_000, "topics": 20, "users": 1, "series": 1}))
    assert len(set(many.log.titles()[1:])) == 20_000


# --- the knobs --------------------------------------------------------------------------------------------------------


def pairs(made: Simulation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots before and after, for neighbours of one session, and the places of the first."""
    log, slots = made.log, made.world.slot_of_code[made.log.items]
    at = np.flatnonzero((np.diff(log.users) == 0) & (np.diff(log.times // DAY) == 0))
    return slots[at], slots[at + 1], at


def with_(**settings: float) -> Simulation:
    return simulate(SMALL.model_copy(update=settings))


def test_sizes() -> None:
    made = with_(users=50, items=20, topics=4, mean_events=60.0)
    assert (len(made.log.user_ids), len(made.log.item_ids)) == (50, 20)
    assert 45 < len(made.log) / 50 < 75


def test_drift_zero_keeps_a_session_in_its_topic() -> None:
    before, after, _ = pairs(with_(drift=0.0))
    assert (before // 12 == after // 12).all()
    before, after, _ = pairs(with_(drift=1.0))
    assert (before // 12 != after // 12).mean() > 0.3


def test_sequel_knobs() -> None:
    never, often = with_(sequel_browse=0.0, sequel_binge=0.0), with_(sequel_browse=0.9, sequel_binge=0.9)
    for made, low, high in ((never, 0.0, 0.0), (often, 0.85, 0.95)):
        before, after, at = pairs(made)
        sequel = made.world.sequels[before]
        epoch = made.world.epoch_of_day((made.log.times[at] - FIRST_DAY) // DAY)
        can = (sequel >= 0) & made.world.alive[epoch, sequel]
        assert low <= (sequel == after)[can].mean() <= high


def test_session_and_gap_knobs() -> None:
    made = with_(mean_session=5.0, gap_days=3.0)
    log, same = made.log, np.diff(made.log.users) == 0
    days = np.diff(log.times // DAY)[same]
    assert 0.8 - 0.02 < (days == 0).mean() < 0.8 + 0.02
    assert 2.4 < days[days > 0].mean() < 3.1


def test_repeat_knob_brings_old_items_back() -> None:
    def share(made: Simulation) -> float:
        rows = np.split(made.log.items, made.log.offsets[1:-1])
        return float(np.mean([item in row[:k] for row in rows for k, item in enumerate(row)]))

    wide = {"items": 300, "contrast": 0.0, "mean_events": 60.0}
    assert share(with_(**wide, repeat=0.9)) > share(with_(**wide, repeat=0.0)) + 0.2


def test_taste_knobs() -> None:
    assert np.ptp(with_(contrast=0.0).world.taste, axis=2).max() < 1e-12
    flat = with_(contrast=0.0, zipf=0.0, short_lived=0.0).world
    np.testing.assert_allclose(flat.taste, 1 / 12)
    assert flat.alive.all()
    np.testing.assert_allclose(with_(conformity=1.0).world.style_prior.max(-1), 1)
    assert with_(breadth=0.05).world.preference.max(1).mean() > with_(breadth=50.0).world.preference.max(1).mean() + 0.3
    assert with_(facets=0).world.taste.shape[2] == 1


def test_binge_comes_in_runs() -> None:
    """After a sequel another is likelier than after none: what the mode makes, and `switch` = 1/2 with it unmakes."""

    def lift(made: Simulation) -> float:
        slots = made.world.slot_of_code[made.log.items]
        day, user = made.log.times // DAY, made.log.users
        at = np.flatnonzero((day[2:] == day[:-2]) & (user[2:] == user[:-2])) + 1
        open_ended = (made.world.sequels[slots[at]] >= 0) & (made.world.sequels[slots[at - 1]] >= 0)
        at = at[open_ended]
        first, second = (made.world.sequels[slots[at + d]] == slots[at + d + 1] for d in (-1, 0))
        return float(second[first].mean() - second[~first].mean())

    runs = {"users": 2000, "binge": 0.5, "short_lived": 0.0, "series": 12}
    assert lift(with_(**runs, switch=0.02)) > 0.25
    assert abs(lift(with_(**runs, switch=0.5))) < 0.06


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"items": 401}, "items must be a multiple of topics"),
        ({"items": 20}, "at least 3 a topic"),
        ({"min_events": 90}, "min_events cannot exceed mean_events"),
        ({"drift": 1.5}, "drift"),
        ({"topic": 3}, "did you mean 'topics'"),
    ],
)
def test_bad_settings_are_one_clear_line(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        decode(SimulateConfig, values, where="simulate")
    assert "\n" not in str(caught.value)
