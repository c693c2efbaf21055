"""The long-memory log: its best possible score is exact, with all of the past and with the last part of it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from recollect.config import ConfigError, decode
from recollect.data.simulate.expected import best_figures
from recollect.data.simulate.long_memory import LongMemory, LongMemoryConfig, simulate_long_memory
from recollect.data.sources import LONG_MEMORY, read
from recollect.data.splits import loo
from recollect.evaluate.metrics import gains

TINY = LongMemoryConfig(
    users=60, groups=2, choices=2, everyday=1, rounds=1, shortest=1, longest=2, faithful=0.75, seed=5
)
MEDIUM = LongMemoryConfig(users=4000, groups=4, choices=6, everyday=5, rounds=2, shortest=12, longest=20, seed=1)


@pytest.fixture(scope="module")
def medium() -> LongMemory:
    return simulate_long_memory(MEDIUM)


# --- the oracle against an enumeration of every life ------------------------------------------------------------------


def every_life(config: LongMemoryConfig) -> list[tuple[Fraction, list[str]]]:
    """All lives of a world with one round, with their probabilities: words as `r0` (reminder), `c0.1`, `e0`."""
    assert config.rounds == 1
    faithful = Fraction(config.faithful)
    orders = list(itertools.permutations(range(config.groups)))
    options = range(config.choices)
    stretches = range(config.shortest, config.longest + 1)
    lives = []
    for favourites in itertools.product(options, repeat=config.groups):
        for early, late in itertools.product(orders, repeat=2):
            for chosen in itertools.product(options, repeat=2 * config.groups):
                chance = Fraction(1, config.choices**config.groups * len(orders) ** 2 * len(stretches))
                words = []
                for group, choice in zip(early + late, chosen, strict=True):
                    chance *= faithful * (choice == favourites[group]) + (1 - faithful) / config.choices
                    words += [f"r{group}", f"c{group}.{choice}"]
                half = 2 * config.groups
                for stretch in stretches:
                    for filler in itertools.product(range(config.everyday), repeat=stretch):
                        life = words[:half] + [f"e{one}" for one in filler] + words[half:]
                        lives.append((chance / config.everyday**stretch, life))
    return lives


@pytest.mark.parametrize("last", [None, 1, 2, 3, 4, 5, 7, 20])
def test_the_oracle_is_what_all_lives_together_say(last: int | None) -> None:
    """P(choice | the last events), by Bayes over every life; nothing but the events themselves is known."""
    made = simulate_long_memory(TINY)
    lives = every_life(TINY)
    assert sum(chance for chance, _ in lives) == 1
    after: dict[tuple[str, ...], dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for chance, life in lives:
        for place in range(len(life)):
            shown = tuple(life[max(0, place - last) : place] if last else life[:place])
            after[shown][life[place]] += chance
    word = {0: "-"}
    for code in range(1, TINY.items + 1):
        group, others = made.group[code], np.flatnonzero((made.group == made.group[code]) & made.chosen)
        word[code] = (
            "e0" if group < 0 else f"c{group}.{others.tolist().index(code)}" if made.chosen[code] else f"r{group}"
        )
    log = made.log
    asked = np.flatnonzero(made.chosen[log.items])
    found = made.best_possible(log.users[asked], asked, last=last)
    checked = 0
    for row, place in zip(found, asked.tolist(), strict=True):
        start = int(log.offsets[log.users[place]])
        past = [word[code] for code in log.items[start if last is None else max(start, place - last) : place].tolist()]
        chances = after[tuple(past)]
        total = sum(chances.values())
        wanted = [float(chances.get(word[code], 0) / total) if code else 0.0 for code in range(len(row))]
        np.testing.assert_allclose(row, wanted, rtol=1e-12, atol=1e-15)
        checked += max(wanted) > 1 / TINY.choices
    assert (checked > 0) == (last is None or last >= 3)  # a choice, one everyday event, a reminder


# --- floor and ceiling ------------------------------------------------------------------------------------------------


def test_who_remembers_no_more_than_the_stretch_between_can_only_guess(medium: LongMemory) -> None:
    log = medium.log
    assert log.targets is not None
    asked = np.flatnonzero(log.targets)
    for last in (1, 5, MEDIUM.shortest, MEDIUM.shortest + 1):
        rows = medium.best_possible(log.users[asked], asked, last=last)
        assert set(np.unique(rows)) == {0.0, 1 / MEDIUM.choices}
    floor, whole = (best_figures(medium.best_possible(log.users[asked], asked, last=n), 3) for n in (12, None))
    assert floor["hr@3"] == pytest.approx(0.5) and whole["hr@3"] > 0.9
    figures = [best_figures(medium.best_possible(log.users[asked], asked, last=n), 3) for n in range(10, 60, 5)]
    assert all(a["ndcg@3"] <= b["ndcg@3"] + 1e-12 for a, b in itertools.pairwise(figures))
    assert figures[-1] == whole


def test_nothing_recent_goes_with_what_is_chosen_late(medium: LongMemory) -> None:
    """Not the event two before, not how often anything came in the stretch: chi-square of tables that would show it."""
    log = medium.log
    split = loo(log)
    chosen = log.items[split.test.positions]
    at = split.test.positions
    recent = {
        "the choice before": log.items[at - 2],
        "an everyday event": log.items[log.offsets[1:] - 1 - 2 * MEDIUM.groups],
        "how long the stretch was": np.diff(log.offsets),
    }
    for what, told in recent.items():
        for group in range(MEDIUM.groups):
            mine = medium.group[chosen] == group
            table = np.zeros((told.max() + 1, chosen.max() + 1))
            np.add.at(table, (told[mine], chosen[mine]), 1)
            table = table[table.sum(1) > 0][:, table.sum(0) > 0]
            expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
            degrees = (table.shape[0] - 1) * (table.shape[1] - 1)
            z = (((table - expected) ** 2 / expected).sum() - degrees) / np.sqrt(2 * degrees)
            assert z < 4, (what, group, z)


def test_predicted_probability_is_observed_frequency(medium: LongMemory) -> None:
    log = medium.log
    asked = np.flatnonzero(medium.chosen[log.items])
    for last in (None, 30):
        rows = medium.best_possible(log.users[asked], asked, last=last)
        np.testing.assert_allclose(rows.sum(1), 1, atol=1e-12)
        assert (rows[:, 0] == 0).all()
        for chance in np.unique(rows.round(9)):
            row, code = np.nonzero(np.abs(rows - chance) < 1e-8)
            if 0 < chance and len(row) > 1000:
                happened = log.items[asked[row]] == code
                assert abs(happened.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / len(row)), (last, chance)


def test_the_default_log_keeps_all_that_helps_more_than_a_thousand_events_back() -> None:
    made = simulate_long_memory()
    log = made.log
    assert log.digest == "187b30c86e82", "scores are compared across versions: a change of this log is announced"
    assert log.targets is not None and log.targets.sum() == 600 * 12 and len(log.item_ids) == 400
    for asked in (loo(log).validation, loo(log).test):
        near, far = (best_figures(made.best_possible(asked.users, asked.positions, last=last)) for last in (1000, None))
        assert near == pytest.approx({"hr@10": 0.4, "ndcg@10": 0.1817423735})
        assert far == pytest.approx({"hr@10": 0.94, "ndcg@10": 0.9181}, abs=0.0005)
        assert best_figures(made.best_possible(asked.users, asked.positions, last=2000)) == far
    assert read(LONG_MEMORY).digest == log.digest


def test_best_figures_are_the_average_of_what_happens() -> None:
    """Ranked by chance, and drawn many times: the means of the metrics as they are measured."""
    draw = np.random.default_rng(0)
    chances = draw.dirichlet(np.full(30, 0.2), size=4)
    order = np.argsort(-chances, axis=1)
    ranks = np.concatenate(
        [1 + draw.choice(30, size=20_000, p=row[best]) for row, best in zip(chances, order, strict=True)]
    )
    found = best_figures(chances, 5)
    for name in ("hr@5", "ndcg@5"):
        assert found[name] == pytest.approx(float(gains(name, ranks).mean()), abs=0.006)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_same_seed_same_log_and_other_seed_another() -> None:
    one, two, other = (simulate_long_memory(MEDIUM.model_copy(update={"seed": seed})) for seed in (1, 1, 2))
    assert one.log.digest == two.log.digest != other.log.digest
    assert one.log.titles().tolist() == two.log.titles().tolist()


def test_a_life_is_rounds_a_stretch_and_a_last_round(medium: LongMemory) -> None:
    log, groups = medium.log, MEDIUM.groups
    assert (np.diff(log.times)[np.diff(log.users) == 0] >= 60).all(), "no ties, so their order cannot matter"
    assert log.targets is not None
    for user in range(50):
        life = log.items[log.offsets[user] : log.offsets[user + 1]]
        early, stretch, late = np.split(life, [2 * groups * MEDIUM.rounds, len(life) - 2 * groups])
        assert MEDIUM.shortest <= len(stretch) <= MEDIUM.longest and (medium.group[stretch] == -1).all()
        for part in (*np.split(early, MEDIUM.rounds), late):
            assert sorted(medium.group[part[::2]].tolist()) == list(range(groups))
            assert (medium.group[part[::2]] == medium.group[part[1::2]]).all()
            assert not medium.chosen[part[::2]].any() and medium.chosen[part[1::2]].all()
        told = log.targets[log.offsets[user] : log.offsets[user + 1]]
        assert told.sum() == groups and told[-2 * groups + 1 :: 2].all()
    kinds = log.item_table["kind"] if log.item_table is not None else []
    assert [str(kind) for kind in kinds].count("choice") == groups * MEDIUM.choices


@pytest.mark.parametrize(
    ("positions", "last", "message"),
    [([0], None, "must be a choice"), ([1], 0, "at least 1")],
)
def test_what_the_oracle_cannot_be_asked(
    medium: LongMemory, positions: list[int], last: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        medium.best_possible(np.array([0]), np.array(positions), last=last)
    with pytest.raises(ValueError, match="must be a choice of users"):
        medium.best_possible(np.array([1]), np.array([1]))


def test_bad_settings_are_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="longest cannot be below shortest = 1000"):
        decode(LongMemoryConfig, {"longest": 10}, where="simulate")
