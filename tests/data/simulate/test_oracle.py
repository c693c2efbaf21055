"""The best possible score of a simulated log is exact, calibrated, and cannot be passed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from recollect.data.simulate.generator import SimulateConfig, Simulation, simulate
from recollect.data.simulate.oracle import predict
from recollect.data.simulate.world import DAY, FIRST_DAY, SESSION_CAP, World

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
    repeat=0.2,
    repeat_lag=8,
    seed=3,
    span_days=360,
    gap_days=6,
)
TINY = SimulateConfig(
    users=6,
    items=8,
    topics=2,
    mean_events=6,
    min_events=6,
    facets=1,
    profiles=2,
    repeat=0.3,
    repeat_lag=2,
    binge=0.4,
    switch=0.2,
    drift=0.3,
    series=3,
    span_days=12,
    revision_days=4,
    gap_days=2,
    short_lived=0.5,
    seed=1,
)


@pytest.fixture(scope="module")
def small() -> Simulation:
    return simulate(SMALL)


@pytest.fixture(scope="module")
def answers(small: Simulation) -> np.ndarray:
    """[events V]: the predictive of every event of the small log."""
    return small.best_possible(small.log.users, np.arange(len(small.log)))


# --- the oracle against an enumeration of everything hidden -----------------------------------------------------------


def enumerate_next(world: World, items: list[int], times: list[int], at_day: int | None = None) -> dict[int, float]:
    """P(next item code | history) by summing over profile, both styles and every path of modes, in plain Python.

    Follows docs/simulator.md section 2 event by event, with item codes; shares nothing with the filter but the world.
    """
    config = world.config
    per_topic = config.items // config.topics
    slot = {int(code): s for s, code in enumerate(world.code_of_slot)}
    code = {s: c for c, s in slot.items()}
    days = [(t - FIRST_DAY) // DAY for t in times]
    epochs = -(-config.span_days // config.revision_days)

    def epoch(day: int) -> int:
        return min(day // config.revision_days, epochs - 1)

    def lives(item: int, e: int) -> bool:
        return bool(world.births[slot[item]] <= e < world.deaths[slot[item]])

    def chance(
        item: int, profile: int, styles: tuple[int, ...], mode: int, opens: bool, e: int, past: list[int]
    ) -> float:
        """P(item | everything hidden) for one event that opens a session, or goes on after past[-1]."""
        barred: set[int] = set()
        sequel_chance = 0.0
        total = 0.0
        if not opens:
            barred.add(past[-1])
            after = int(world.sequels[slot[past[-1]]])
            if after >= 0 and lives(code[after], e):
                barred.add(code[after])
                sequel_chance = config.sequel_binge if mode == 1 else config.sequel_browse
                if item == code[after]:
                    return sequel_chance
        if item in barred or not lives(item, e):
            return 0.0
        for topic in range(config.topics):
            if opens:
                p_topic = world.preference[profile, topic]
            else:
                p_topic = config.drift * world.preference[profile, topic]
                p_topic += (1 - config.drift) * (slot[past[-1]] // per_topic == topic)
            members = [c for s, c in code.items() if s // per_topic == topic and lives(c, e) and c not in barred]
            if item not in members:
                continue
            weight = {c: world.taste[e, topic, styles[topic], slot[c] % per_topic] for c in members}
            taste = weight[item] / sum(weight.values())
            old = [c for c in past[: max(0, len(past) - config.repeat_lag + 1)] if c in members]
            if old:
                taste = config.repeat * old.count(item) / len(old) + (1 - config.repeat) * taste
            total += p_topic * taste
        return (1 - sequel_chance) * total

    def mode_chance(mode: int, before: int, opens: bool) -> float:
        if opens:
            return config.binge if mode == 1 else 1 - config.binge
        return 1 - config.switch if mode == before else config.switch

    # The next session's days and chances; one row (opens, epoch, chance) a case.
    held = 0
    for k, day in enumerate(days):
        held = 1 if k == 0 or day != days[k - 1] else held + 1
    stop = 1.0 if held in (0, SESSION_CAP) else 1 / config.mean_session
    if at_day is not None:
        cases = [(not days or at_day != days[-1], epoch(at_day), 1.0)]
    elif not days:
        firsts = max(1, int(0.7 * config.span_days))
        cases = [(True, epoch(day), 1 / firsts) for day in range(firsts)]
    else:
        longest = int(np.ceil(4 * config.gap_days))
        geometric = [(1 - 1 / config.gap_days) ** (g - 1) for g in range(1, longest + 1)]
        cases = [
            (True, epoch(days[-1] + g), stop * w / sum(geometric))
            for g, w in zip(range(1, 99), geometric, strict=False)
        ]
        cases.append((False, epoch(days[-1]), 1 - stop))

    result = dict.fromkeys(slot, 0.0)
    evidence = 0.0
    style_sets = itertools.product(range(2**config.facets), repeat=config.topics)
    for profile, styles in itertools.product(range(config.profiles), list(style_sets)):
        prior = world.profile_weights[profile]
        for topic, style in enumerate(styles):
            prior *= world.style_prior[profile, topic, style]
        for modes in itertools.product((0, 1), repeat=len(items)):
            p = prior
            for k, item in enumerate(items):
                opens = k == 0 or days[k] != days[k - 1]
                p *= mode_chance(modes[k], modes[k - 1] if k else 0, opens)
                p *= chance(item, profile, styles, modes[k], opens, epoch(days[k]), items[:k]) if p else 0.0
            evidence += p
            if p == 0:
                continue
            for (opens, e, p_case), mode in itertools.product(cases, (0, 1)):
                step = p * p_case * mode_chance(mode, modes[-1] if modes else 0, opens)
                if step:
                    for item in result:
                        result[item] += step * chance(item, profile, styles, mode, opens, e, items)
    return {item: p / evidence for item, p in result.items()}


@pytest.mark.parametrize("request_time", [False, True])
def test_oracle_equals_enumeration_of_everything_hidden(request_time: bool) -> None:
    made = simulate(TINY)
    log, checked = made.log, {"opens": 0, "stays": 0}
    for user, depth in [(0, 0), (0, 3), (1, 1), (2, 4), (3, 5), (4, 5), (5, 5)]:
        start = int(log.offsets[user])
        position = start + depth
        found = made.best_possible(np.array([user]), np.array([position]), request_time=request_time)[0]
        at_day = int((log.times[position] - FIRST_DAY) // DAY) if request_time else None
        past = slice(start, position)
        true = enumerate_next(made.world, log.items[past].tolist(), log.times[past].tolist(), at_day)
        assert found[0] == 0
        np.testing.assert_allclose(found[1:], [true[c] for c in range(1, 9)], rtol=1e-10, atol=1e-14)
        same_day = depth and (log.times[position] - FIRST_DAY) // DAY == (log.times[position - 1] - FIRST_DAY) // DAY
        checked["stays" if same_day else "opens"] += 1
    assert min(checked.values()) >= 2, "the tiny log no longer covers both kinds of target; choose another seed"


def test_tiny_log_exercises_sequels_repeats_and_deaths() -> None:
    """Otherwise the enumeration above would not test them."""
    made = simulate(TINY)
    slots = made.world.slot_of_code[made.log.items]
    inside = np.flatnonzero(np.diff(made.log.users) == 0)
    assert (made.world.sequels[slots[inside]] == slots[inside + 1]).any()
    assert ((made.world.deaths < made.world.epochs) | (made.world.births > 0)).any()
    assert any(len(set(row)) < len(row) for row in np.split(made.log.items, made.log.offsets[1:-1]))


# --- the oracle against the log ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_time", [False, True])
def test_rows_are_distributions(small: Simulation, request_time: bool) -> None:
    positions = small.log.offsets[1:] - 1
    rows = small.best_possible(np.arange(SMALL.users), positions, request_time=request_time)
    assert rows.shape == (SMALL.users, small.log.item_ids.size) and rows.dtype == np.float64
    assert (rows >= 0).all() and (rows[:, 0] == 0).all()
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-12)


def test_surprise_equals_entropy(small: Simulation, answers: np.ndarray) -> None:
    """log p(event) + entropy has mean zero given the past: a martingale, so the sum's deviation is sqrt(n) theirs."""
    got = answers[np.arange(len(small.log)), small.log.items]
    entropy = -(answers * np.log(np.where(answers > 0, answers, 1))).sum(1)
    excess = np.log(got) + entropy
    assert abs(excess.mean()) < 3.5 * excess.std() / np.sqrt(len(excess))
    uniform = np.log(small.log.item_ids.size - 1)
    assert entropy.mean() < 0.85 * uniform, "there is something to predict"


def test_predicted_probability_is_observed_frequency(small: Simulation, answers: np.ndarray) -> None:
    happened = np.zeros_like(answers, dtype=bool)
    happened[np.arange(len(answers)), small.log.items] = True
    edges = [1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 1.0]
    for low, high in itertools.pairwise(edges):
        inside = (answers >= low) & (answers < high)
        p = answers[inside]
        assert len(p) > 100, (low, high)
        z = (happened[inside].sum() - p.sum()) / np.sqrt((p * (1 - p)).sum())
        assert abs(z) < 3.5, (low, high, z)


def changed(world: World, **settings: float) -> World:
    return dataclasses.replace(world, config=world.config.model_copy(update=settings))


def perturbations() -> dict[str, Callable[[World], World]]:
    return {
        "no repeats": lambda w: changed(w, repeat=0.0),
        "twice the repeats": lambda w: changed(w, repeat=0.4),
        "other lag": lambda w: changed(w, repeat_lag=1),
        "no drift": lambda w: changed(w, drift=0.02),
        "more drift": lambda w: changed(w, drift=0.5),
        "one mode": lambda w: changed(w, sequel_browse=0.28, sequel_binge=0.28),
        "longer sessions": lambda w: changed(w, mean_session=6.0),
        "no profiles": lambda w: dataclasses.replace(w, preference=np.tile(w.preference.mean(0), (4, 1))),
        "no usual styles": lambda w: dataclasses.replace(w, style_prior=np.full_like(w.style_prior, 1 / 4)),
        "no styles": lambda w: dataclasses.replace(w, taste=np.repeat(w.taste.mean(2, keepdims=True), 4, axis=2)),
        "sharper tastes": lambda w: dataclasses.replace(w, taste=w.taste**1.3 / (w.taste**1.3).sum(-1, keepdims=True)),
    }


@pytest.mark.parametrize("name", perturbations())
def test_no_other_parameters_predict_better(small: Simulation, answers: np.ndarray, name: str) -> None:
    """The same filter, believing something else: its mean log-likelihood is lower, beyond chance."""
    every = np.arange(len(small.log))
    other = predict(perturbations()[name](small.world), small.log, every)
    gain = np.log(answers[every, small.log.items]) - np.log(np.maximum(other[every, small.log.items], 1e-12))
    assert gain.mean() > 2 * gain.std() / np.sqrt(len(gain)), (gain.mean(), gain.std() / np.sqrt(len(gain)))


def test_long_memory_pays(small: Simulation, answers: np.ndarray) -> None:
    """Targets answered from the last eight events only lose likelihood: what is older matters."""
    log = small.log
    asked = np.flatnonzero(log.offsets[1:] - log.offsets[:-1] >= 25)
    ends = log.offsets[asked + 1]
    keep = np.concatenate([np.arange(end - 9, end) for end in ends])
    cut = dataclasses.replace(log, users=log.users[keep], items=log.items[keep], times=log.times[keep])
    short = predict(small.world, cut, cut.offsets[asked + 1] - 1)
    target, row = log.items[ends - 1], np.arange(len(asked))
    gain = np.log(answers[ends - 1][row, target]) - np.log(short[row, target])
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


def test_knowing_the_time_of_asking_helps(small: Simulation, answers: np.ndarray) -> None:
    every = np.arange(len(small.log))
    told = small.best_possible(small.log.users, every, request_time=True)
    gain = np.log(told[every, small.log.items]) - np.log(answers[every, small.log.items])
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


def test_answers_use_the_past_only(small: Simulation) -> None:
    log = small.log
    user = int(np.argmax(np.diff(log.offsets)))
    position = int(log.offsets[user]) + 12
    items, times = log.items.copy(), log.times.copy()
    later = slice(position, int(log.offsets[user + 1]))
    items[later] = np.roll(items[later], 1)
    times[later] += 400 * DAY
    forged = dataclasses.replace(log, items=items, times=times)
    at = np.array([position])
    np.testing.assert_array_equal(predict(small.world, log, at), predict(small.world, forged, at))


def test_targets_in_any_order_and_company(
    small: Simulation, answers: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recollect.data.simulate.oracle.BLOCK", 7)
    positions = np.random.default_rng(0).permutation(len(small.log))[:60]
    alone = small.best_possible(small.log.users[positions], positions)
    np.testing.assert_allclose(alone, answers[positions], rtol=1e-9, atol=1e-15)
    assert small.best_possible(np.zeros(0, int), np.zeros(0, int)).shape == (0, 61)


def test_wrong_user_is_refused(small: Simulation) -> None:
    with pytest.raises(ValueError, match="user of the event"):
        small.best_possible(np.array([1]), np.array([0]))
