"""The demonstration in small: five rows measured alike, the best possible above all, its settings frozen by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recollect.artifact import load
from recollect.data.simulate.generator import simulate
from recollect.data.simulate.world import SMALL as SMALL_WORLD
from recollect.data.sources import SMALL as SMALL_SOURCE
from recollect.data.sources import read
from recollect.data.splits import loo
from recollect.evaluate.metrics import measure
from recollect.study.demo import (
    BEST,
    EFFORT,
    EPOCHS,
    FLAGSHIP,
    FLOOR,
    RECIPES,
    Demonstration,
    best_ledger,
    run_demo,
)
from recollect.study.scoring import SCORINGS

from .material import WORLD

SMALL = {
    "popularity": {},
    FLOOR: {},
    "sasrec": {"model": {"width": 8}, "train": {"epochs": 1}},
    FLAGSHIP: {"model": {"width": 8, "blocks": 1}, "train": {"epochs": 1}},
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return run_demo(tmp_path_factory.mktemp("demo") / "model", world=WORLD, recipes=SMALL)


def test_all_are_measured_alike(shown: Demonstration) -> None:
    assert [row.name for row in shown.rows] == ["popularity", FLOOR, "sasrec", FLAGSHIP, BEST]
    protocols = [shown.ledger.protocols[row.name] for row in shown.rows]
    assert all(protocols[0].differences(other) == [] for other in protocols)
    assert "loo, test" in shown.protocol_line and "seen allowed" in shown.protocol_line
    users = [shown.ledger.of(row.name).user_id.tolist() for row in shown.rows]
    assert all(one == users[0] for one in users)


def test_shares_are_of_the_best_possible(shown: Demonstration) -> None:
    best = shown.rows[-1]
    assert best.share == 1 and best.seconds is None
    for row in shown.rows:
        assert row.share == row.metrics["ndcg@10"] / best.metrics["ndcg@10"]


def test_the_comparison_is_of_the_same_rows(shown: Demonstration) -> None:
    figures = {row.name: row.metrics["ndcg@10"] for row in shown.rows}
    assert shown.comparison.difference == pytest.approx(figures[FLAGSHIP] - figures[FLOOR])
    assert (shown.comparison.run, shown.comparison.baseline) == (FLAGSHIP, FLOOR)
    assert shown.comparison.leaves_out == (FLAGSHIP,) and shown.ledger.unseeded == {"popularity", FLOOR, BEST}


def test_the_flagship_is_kept_and_its_scoring_noted(shown: Demonstration) -> None:
    assert load(shown.folder).name == FLAGSHIP
    assert len((shown.folder / SCORINGS).read_text().splitlines()) == 1


def test_the_best_possible_ranks_by_the_exact_probabilities() -> None:
    """An oracle of its own: sort the probabilities of each target, the target last among its equals."""
    made = simulate(WORLD)
    split = loo(made.log)
    ledger = best_ledger(made, split, split.validation)
    for target, rank in list(enumerate(ledger.rank.tolist()))[:10]:
        user, position = split.validation.users[[target]], split.validation.positions[[target]]
        likely = made.best_possible(user, position)[0]
        target = made.log.items[position[0]]
        order = sorted(range(1, len(likely)), key=lambda code: (-likely[code], code == target))
        assert rank == order.index(target) + 1
    assert ledger.protocols[BEST].split == "loo, validation"


def test_nobody_beats_the_best_possible_but_by_luck(shown: Demonstration) -> None:
    best = shown.ledger.of(BEST)
    for row in shown.rows[:-1]:
        mean = measure(shown.ledger.of(row.name))["ndcg@10"]
        assert mean < measure(best)["ndcg@10"]


def test_the_recipes_name_real_settings_and_fixed_seeds() -> None:
    from recollect.study.settings import settings_from

    for name, recipe in RECIPES.items():
        values = {"data": {"source": "simulated"}, "model": {"name": name, **recipe.get("model", {})}}
        assert settings_from({**values, "train": recipe.get("train", {})}).train.seed == 0


def test_what_is_kept_names_the_log_it_was_trained_on() -> None:
    """The commands that are printed read the log again, by the name in the run."""
    made = simulate(SMALL_WORLD)
    assert read(SMALL_SOURCE).digest == made.log.digest == "ead956a695a1"


def test_whoever_stops_it_keeps_the_models_that_ended(tmp_path: Path) -> None:
    def stop(name: str) -> None:
        if name == "sasrec":
            raise KeyboardInterrupt

    shown = run_demo(tmp_path / "model", begin=stop, world=WORLD, recipes=SMALL)
    assert [row.name for row in shown.rows] == ["popularity", FLOOR, BEST]
    assert isinstance(shown.stopped, KeyboardInterrupt)
    assert shown.trained is None and shown.comparison is None
    assert "loo, test" in shown.protocol_line


def test_the_effort_is_of_the_models_that_are_trained() -> None:
    assert set(EFFORT) == {name for name, recipe in RECIPES.items() if "train" in recipe}
    assert sum(EFFORT.values()) == pytest.approx(1)
    assert {recipe["train"]["epochs"] for recipe in RECIPES.values() if "train" in recipe} == {EPOCHS}


@pytest.mark.long
def test_the_promise_of_the_demonstration(tmp_path: Path) -> None:
    shown = run_demo(tmp_path / "model")
    flagship = next(row for row in shown.rows if row.name == FLAGSHIP)
    assert flagship.share >= 0.70
    assert shown.comparison.low > 0
    assert shown.comparison.leaves_out == (FLAGSHIP,) and not shown.comparison.better  # it has one seed
    assert np.isfinite([row.metrics.errors["ndcg@10"] for row in shown.rows]).all()
