"""A whole comparison in small: what fails stands beside what does not; nothing is done twice or overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recollect.artifact import ArtifactError, load
from recollect.config import ConfigError
from recollect.data.log import DataError
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.study import compare as study
from recollect.study.child import Order, outcome_of, work
from recollect.study.compare import FAILURES, Compared, compare
from recollect.study.compare_settings import CompareSettings, comparison_from
from recollect.study.execute import Failure, Halted
from recollect.study.plan import Job
from recollect.study.report import LEDGER, REPORT, TABLE
from recollect.study.scoring import SCORINGS, TEST
from recollect.train.progress import Silent

from .material import small_log, write_csv

MODELS = ["popularity", "gru4rec", "sasrec"]
TINY = {"gru4rec": {"model": {"width": 8, "hidden": 8}}, "sasrec": {"model": {"width": 8, "heads": 2}}}
BROKEN = {**TINY, "sasrec": {"model": {"width": 8, "heads": 3}}}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(small_log(), tmp_path_factory.mktemp("log") / "events.csv")


def settings(source: Path, **sections: Any) -> CompareSettings:
    train = {"epochs": 1, "batches": {"tokens": 256}, **sections.pop("train", {})}
    given = {"data": {"source": str(source)}, "evaluate": {"seen": "allowed"}, "train": train, "models": TINY}
    return comparison_from({**given, **sections})


Started = list[str]


@pytest.fixture(autouse=True)
def started() -> Iterator[Started]:
    """Runs are made in this process, one after the other; real children have tests of their own."""
    labels = Started()

    def execute(jobs: list[Job], *, log: Path, on: Any, ended: Callable[..., None], **others: Any) -> None:
        for job in jobs:
            labels.append(job.label)
            failure = None
            try:
                work(Order(job.settings, job.folder, log, on), Silent())
            except KeyboardInterrupt:
                raise Halted from None
            except Exception as error:
                failure = Failure(outcome_of(error)["reason"])
            ended(job, failure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "execute", execute)
        yield labels


@pytest.fixture
def made(source: Path, tmp_path: Path, started: Started) -> Compared:
    result = compare(settings(source, models=BROKEN), MODELS, tmp_path / "out", seeds=2, command="typed")
    assert started == ["popularity, seed 0", "gru4rec, seed 0", "sasrec, seed 0", "gru4rec, seed 1", "sasrec, seed 1"]
    started.clear()
    return result


def test_the_table_holds_who_has_figures_and_says_who_has_not(made: Compared) -> None:
    assert {row.model for row in made.table.rows} == {"popularity", "gru4rec"}
    assert made.failed == 2 and made.runs == 5
    (reason,) = made.table.failed["sasrec"]
    assert reason.startswith("failed: ") and "does not divide into 3 heads" in reason
    kept = json.loads((made.folder / FAILURES).read_text())
    assert set(kept) == {"sasrec/seed-0", "sasrec/seed-1"} and kept["sasrec/seed-0"]["date"]
    report = (made.folder / REPORT).read_text()
    assert "3 heads" in report and "typed" in report and made.table.protocol_line in report


def test_every_run_is_an_ordinary_one_with_its_test_ranks(made: Compared) -> None:
    whole = Ledger.load(made.folder / LEDGER)
    for model, seed in (("popularity", 0), ("gru4rec", 0), ("gru4rec", 1)):
        folder = made.folder / model / f"seed-{seed}"
        assert load(folder).name == model and load(folder).settings["train"]["seed"] == seed
        assert (Ledger.load(folder / TEST).rank == whole.of(model, seed).rank).all()
        assert len((folder / SCORINGS).read_text().splitlines()) == 1
    row = next(row for row in made.table.rows if row.model == "gru4rec")
    assert row.metrics == measure(whole.of("gru4rec")) and row.metrics.seeds == (0, 1)
    assert "seen allowed" in made.table.protocol_line and "loo, test" in made.table.protocol_line
    assert not (made.folder / ".log").exists()


def test_what_is_done_is_not_done_again(made: Compared, source: Path, started: Started) -> None:
    again = compare(settings(source, models=BROKEN), ["popularity", "gru4rec"], made.folder, seeds=2)
    assert started == [] and again.failed == 0
    assert [row.metrics for row in again.table.rows] == [row.metrics for row in made.table.rows]
    more = compare(settings(source, models=BROKEN), ["gru4rec"], made.folder, seeds=3)
    assert started == ["gru4rec, seed 2"] and more.table.rows[0].metrics.seeds == (0, 1, 2)


def test_validation_needs_no_scoring_of_test(made: Compared, source: Path, started: Started, tmp_path: Path) -> None:
    looked = compare(settings(source), ["popularity", "gru4rec"], made.folder, seeds=2, on="validation")
    assert started == [] and "loo, validation" in looked.table.protocol_line
    compare(settings(source), ["popularity"], tmp_path / "fresh", seeds=1, on="validation")
    folder = tmp_path / "fresh" / "popularity" / "seed-0"
    assert not (folder / TEST).exists() and not (folder / SCORINGS).exists()
    compare(settings(source), ["popularity"], tmp_path / "fresh", seeds=1)
    assert started == ["popularity, seed 0"] * 2 and (folder / TEST).is_file()


def test_what_failed_is_tried_again(made: Compared, source: Path, started: Started) -> None:
    mended = compare(settings(source), MODELS, made.folder, seeds=2)
    assert started == ["sasrec, seed 0", "sasrec, seed 1"] and mended.failed == 0
    assert not (made.folder / FAILURES).exists() and {row.model for row in mended.table.rows} == set(MODELS)


@pytest.mark.parametrize("changed", [{"train": {"epochs": 2}}, {"evaluate": {"seen": "hidden"}}, {"models": {}}])
def test_other_settings_touch_nothing(changed: dict[str, Any], made: Compared, source: Path, started: Started) -> None:
    before = contents(made.folder)
    with pytest.raises(ConfigError, match="made with other settings"):
        compare(settings(source, **changed), ["popularity", "gru4rec"], made.folder, seeds=2)
    assert contents(made.folder) == before and started == []


def test_another_log_touches_nothing(made: Compared, source: Path, tmp_path: Path, started: Started) -> None:
    lines = source.read_text().splitlines()
    (tmp_path / "longer.csv").write_text("\n".join([*lines, lines[-1]]) + "\n")
    before = contents(made.folder)
    with pytest.raises(ConfigError, match="made on a log of digest"):
        compare(settings(tmp_path / "longer.csv"), ["popularity"], made.folder, seeds=1)
    assert contents(made.folder) == before and started == []


def test_the_log_is_read_once(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def read_data(given: Any) -> Any:
        calls.append(given)
        return reading(given)

    reading = study.read_data
    monkeypatch.setattr(study, "read_data", read_data)
    monkeypatch.setattr("recollect.study.run.read_data", read_data)
    compare(settings(source), ["popularity", "markov"], tmp_path / "out", seeds=1)
    assert len(calls) == 1


def test_what_is_wrong_beforehand_leaves_nothing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="did you mean 'gru4rec'"):
        compare(settings(source), ["popularity", "gru5rec"], out)
    with pytest.raises(ConfigError, match="no model"):
        compare(settings(source), [], out)
    with pytest.raises(DataError, match="nowhere.csv"):
        compare(settings(tmp_path / "nowhere.csv"), ["popularity"], out)
    assert not out.exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArtifactError, match="cannot be used"):
        compare(settings(source), ["popularity"], tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_two_comparisons_do_not_work_in_one_folder(source: Path, tmp_path: Path) -> None:
    with study._alone_in(tmp_path / "out"), pytest.raises(ArtifactError, match="another comparison is at work"):
        compare(settings(source), ["popularity"], tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []
    compare(settings(source), ["popularity"], tmp_path / "out", seeds=1)


def test_a_model_that_cannot_be_loaded_is_skipped(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        study, "loadable", lambda settings, names: (["popularity"], {"foreign": "No module named 'elsewhere'"})
    )
    result = compare(settings(source), ["popularity", "foreign"], tmp_path / "out", seeds=1)
    assert result.failed == 0 and result.table.failed == {"foreign": ("skipped: No module named 'elsewhere'",)}


def test_a_model_is_compared_with_itself_under_other_settings(source: Path, tmp_path: Path) -> None:
    variants = {"wide": {"model": {"name": "gru4rec", "width": 16, "hidden": 8}}, **TINY}
    chosen = settings(source, models=variants)
    made = compare(chosen, ["gru4rec", "wide", "popularity"], tmp_path, seeds=1, against="gru4rec", command="typed")
    assert {row.model for row in made.table.rows} == {"gru4rec", "wide", "popularity"}
    assert {row.comparison.baseline for row in made.table.rows if row.comparison is not None} == {"gru4rec"}
    assert [row.model for row in made.table.rows if row.comparison is None] == ["gru4rec"]
    for name, width in (("gru4rec", 8), ("wide", 16)):
        kept = load(tmp_path / name / "seed-0")
        assert (kept.name, kept.settings["model"]["width"]) == ("gru4rec", width)
    whole = Ledger.load(tmp_path / LEDGER)
    assert set(whole.runs) == {"gru4rec", "wide", "popularity"} and whole.unseeded == {"popularity"}
    report = (tmp_path / REPORT).read_text()
    assert "minus that of gru4rec" in report and "which favours it" not in report


def test_who_is_compared_with_has_to_be_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'gru5rec' is none of the models to compare; did you mean 'gru4rec'"):
        compare(settings(source), ["gru4rec"], tmp_path / "out", against="gru5rec")
    assert not (tmp_path / "out").exists()
    made = compare(settings(source, models=BROKEN), MODELS, tmp_path / "out", seeds=1, against="sasrec")
    assert made.table.reference is None and all(row.comparison is None for row in made.table.rows)
    assert "No differences: sasrec has no figures." in (tmp_path / "out" / REPORT).read_text()


def test_ctrl_c_leaves_no_copy_of_the_log(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*arguments: Any, **named: Any) -> None:
        assert (tmp_path / "out" / ".log").is_dir()
        raise Halted("stopped")

    monkeypatch.setattr(study, "execute", pressed)
    with pytest.raises(Halted):
        compare(settings(source), ["popularity"], tmp_path / "out", seeds=1)
    assert os.listdir(tmp_path / "out") == []


def test_reasons_name_their_seeds_where_they_are_not_all() -> None:
    class Run:
        def __init__(self, seed: int) -> None:
            self.name, self.seed = "m", seed

    runs: list[Any] = [Run(seed) for seed in range(3)]
    all_alike = dict.fromkeys(runs, Failure("a"))
    assert study._reasons(runs, all_alike, {}) == {"m": ("failed: a",)}
    two = {runs[0]: Failure("a"), runs[2]: Failure("a"), runs[1]: Failure("b")}
    assert study._reasons(runs, two, {}) == {"m": ("seed 0, 2 failed: a", "seed 1 failed: b")}
    assert study._reasons(runs, {runs[0]: Failure("c", skipped=True)}, {}) == {"m": ("skipped: c",)}


def contents(folder: Path) -> dict[str, bytes]:
    names = {TABLE, REPORT, LEDGER, FAILURES}
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert names <= set(found)
    return found
