"""Runs measured again side by side: which are seeds of one row, what rows are called, and that no figure changes."""

from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path

import pytest

from recollect.artifact import load
from recollect.config import ConfigError
from recollect.data.log import DataError
from recollect.evaluate.metrics import measure
from recollect.study.report import sheets
from recollect.study.run import run
from recollect.study.scoring import SCORINGS, data_of, score
from recollect.study.settings import settings_from
from recollect.study.side_by_side import side_by_side

from .material import small_log, small_settings, write_csv


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """xlstm-lsr with two seeds, with another learning rate, and markov, beside the log they were trained on."""
    folder = tmp_path_factory.mktemp("runs")
    source = str(write_csv(small_log(), folder / "log.csv"))
    for name, settings in {
        "plain/seed-0": small_settings(epochs=1),
        "plain/seed-1": small_settings(epochs=1, seed=1),
        "fast": small_settings(epochs=1, learning_rate=0.02),
        "markov": small_settings("markov"),
    }.items():
        data = settings.data.model_copy(update={"source": source})
        run(settings.model_copy(update={"data": data}), folder / name)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def test_seeds_are_one_row_and_models_are_called_by_their_name(runs: Path) -> None:
    folders = [runs / "plain/seed-0", runs / "markov", runs / "plain/seed-1"]
    table = side_by_side(folders, on="validation")
    assert {row.model: row.metrics.seeds for row in table.rows} == {"xlstm-lsr": (0, 1), "markov": (0,)}
    assert table.seeds is None and [row.seeded for row in table.rows if row.model == "markov"] == [False]


def test_any_of_them_can_be_what_the_others_are_compared_with(runs: Path) -> None:
    folders = [runs / "plain/seed-0", runs / "markov", runs / "plain/seed-1"]
    for against, name in ((runs / "markov", "markov"), (runs / "plain/seed-1", "xlstm-lsr")):
        table = side_by_side(folders, on="validation", against=against)
        assert [row.comparison.baseline for row in table.rows if row.comparison is not None] == [name]
    with pytest.raises(ConfigError, match="fast: none of the runs that are compared"):
        side_by_side(folders, on="validation", against=runs / "fast")


def test_trainings_that_begin_with_the_same_weights_are_no_seeds_of_one_row(runs: Path) -> None:
    for seed in (0, 1):
        settings = small_settings(epochs=1, seed=seed, start_from=str(runs / "fast"))
        data = settings.data.model_copy(update={"source": str(runs / "log.csv")})
        run(settings.model_copy(update={"data": data}), runs / f"tuned/{seed}")
    told: list[str] = []
    table = side_by_side([runs / "tuned/0", runs / "tuned/1"], on="validation", note=told.append)
    assert [row.metrics.seeds for row in table.rows] == [(0,), (1,)]
    assert sum("training began with the weights of" in text for text in told) == 2
    assert table.protocol_line.endswith(f"started from {runs.name}/fast")
    table = side_by_side([runs / "tuned/0", runs / "plain/seed-0"], on="validation")
    either = {f"started from {a} or {b}" for a, b in permutations([f"{runs.name}/fast", "fresh weights"])}
    assert table.protocol_line.rpartition(" | ")[2] in either and any(row.comparison for row in table.rows)
    table = side_by_side([runs / "fast", runs / "plain/seed-0"], on="validation")
    assert "started from" not in table.protocol_line


def test_runs_of_one_model_are_called_by_their_folder(runs: Path) -> None:
    table = side_by_side([runs / "fast", runs / "plain/seed-0"], on="validation")
    assert {row.model for row in table.rows} == {"fast", "seed-0"}
    again = Path(shutil.copytree(runs / "plain/seed-0", runs / "again/seed-0"))
    twice = [runs / "plain/seed-0", again, runs / "plain/seed-0"]
    table = side_by_side(twice, on="validation")
    assert {row.model for row in table.rows} == {str(runs / "plain/seed-0"), str(again)}
    (other,) = [row.comparison for row in table.rows if row.comparison]
    assert other.difference == other.low == other.high == 0


def test_a_row_of_several_seeds_is_called_by_the_folder_that_holds_them(runs: Path) -> None:
    table = side_by_side([runs / "fast", runs / "plain/seed-0", runs / "plain/seed-1"], on="validation")
    assert {row.model: row.metrics.seeds for row in table.rows} == {"fast": (0,), "plain": (0, 1)}
    seeds = {row[0]: row[4] for row in sheets(table)[0].rows}
    assert seeds == {"fast": "1", "plain": "2"}, "nobody asked for two of fast"


@pytest.mark.parametrize("seen", ["hidden", "allowed"])
def test_figures_are_those_of_each_run_alone(runs: Path, seen: str) -> None:
    folders = [runs / "fast", runs / "markov"]
    table = side_by_side(folders, seen=seen, on="test")  # type: ignore[arg-type]
    assert f"seen {seen}" in table.protocol_line and "loo, test" in table.protocol_line
    for folder in folders:
        one = load(folder)
        alone = measure(score(one, data_of(one), seen=seen, on="test"))  # type: ignore[arg-type]
        assert [row.metrics.values for row in table.rows if row.model == one.name] == [alone.values]
        assert len((folder / SCORINGS).read_text().splitlines()) == 1


def test_a_log_of_other_items_is_refused_and_a_longer_one_remarked(runs: Path) -> None:
    lines, other = (runs / "log.csv").read_text().splitlines(), runs / "other.csv"
    other.write_text("\n".join(lines[: len(lines) // 8]) + "\n")
    with pytest.raises(DataError, match="evaluate on the log of the run"):
        side_by_side([runs / "fast", runs / "markov"], source=str(other))
    user, item, time = lines[-1].split(",")
    other.write_text("\n".join([*lines, f"{user},{item},{int(time) + 60}"]) + "\n")
    said: list[str] = []
    side_by_side([runs / "fast"], source=str(other), on="validation", note=said.append)
    read, columns, another = said
    assert "users" in read and columns.startswith("columns: ") and "is not the one" in another


def test_runs_that_were_not_asked_alike_are_refused_and_no_scoring_is_noted(runs: Path) -> None:
    settings = load(runs / "markov").settings
    run(settings_from({**settings, "evaluate": {"seen": "hidden"}}), runs / "hidden")
    folders = [runs / "markov", runs / "hidden"]
    with pytest.raises(DataError, match="not measured alike.*same log, split and seen-filter"):
        side_by_side(folders)
    assert not any((folder / SCORINGS).exists() for folder in folders)
    side_by_side(folders, seen="hidden")
    assert all((folder / SCORINGS).exists() for folder in folders)
