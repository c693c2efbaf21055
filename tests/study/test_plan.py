"""Every model with every seed, those that draw nothing once; a folder holds what is asked for, or is refused."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from recollect.config import ConfigError
from recollect.data.log import EventLog, build_log
from recollect.study.compare_settings import CompareSettings, comparison_from
from recollect.study.plan import Job, loadable, plan, refuse_others
from recollect.study.run import Stopped, run
from recollect.train.progress import Silent

from .material import small_log

LOG = small_log()


def settings(**sections: Any) -> CompareSettings:
    train = {"epochs": 2, "batches": {"tokens": 128}, **sections.pop("train", {})}
    tiny = {"gru4rec": {"model": {"width": 8, "hidden": 8}}}
    return comparison_from({"data": {"source": "simulated"}, "train": train, "models": tiny, **sections})


def other_log() -> EventLog:
    times = LOG.times.copy()
    times[-1] += 1
    return build_log(LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items), times)


def test_one_seed_after_the_other_and_what_draws_nothing_once(tmp_path: Path) -> None:
    jobs = plan(settings(train={"seed": 4}), ["popularity", "gru4rec", "sasrec"], 2, tmp_path)
    labels = [job.label for job in jobs]
    assert labels == ["popularity, seed 4", "gru4rec, seed 4", "sasrec, seed 4", "gru4rec, seed 5", "sasrec, seed 5"]
    assert [job.folder.relative_to(tmp_path).as_posix() for job in jobs[::3]] == ["popularity/seed-4", "gru4rec/seed-5"]
    assert [job.settings.train.seed for job in jobs] == [4, 4, 4, 5, 5]
    assert not any(job.done(on) for job in jobs for on in ("test", "validation"))  # type: ignore[arg-type]


def test_an_unknown_model_is_named_and_one_that_cannot_be_loaded_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'gru4rec'"):
        loadable(settings(), ["popularity", "gru5rec"])

    def model_class(name: str) -> None:
        if name == "foreign":
            raise ModuleNotFoundError("No module named 'elsewhere'")

    monkeypatch.setattr("recollect.study.plan.model_class", model_class)
    assert loadable(settings(), ["foreign", "popularity"]) == (
        ["popularity"],
        {"foreign": "No module named 'elsewhere'"},
    )


def test_a_variant_has_a_place_of_its_own_and_is_run_as_often_as_its_model(tmp_path: Path) -> None:
    variants = {"short": {"model": {"name": "sasrec", "window": 4}}, "counts": {"model": {"name": "markov"}}}
    made = settings(models=variants)
    assert loadable(made, ["short", "counts"]) == (["short", "counts"], {})
    jobs = plan(made, ["sasrec", "short", "counts"], 2, tmp_path)
    labels = [job.label for job in jobs]
    assert labels == ["sasrec, seed 0", "short, seed 0", "counts, seed 0", "sasrec, seed 1", "short, seed 1"]
    assert [job.folder.parent.name for job in jobs[:3]] == ["sasrec", "short", "counts"]
    assert [job.settings.model_name for job in jobs[:3]] == ["sasrec", "sasrec", "markov"]
    assert jobs[1].settings.model["window"] == 4 != jobs[0].settings.model["window"]


class Interrupts(Silent):
    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, place: Any, steps: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has ended (seed 0), one that was interrupted (seed 1), one that never trained a step (seed 2)."""
    out = tmp_path_factory.mktemp("out")
    ended, interrupted, begun = jobs(out)
    run(ended.settings, ended.folder, log=LOG)
    with pytest.raises(Stopped):
        run(interrupted.settings, interrupted.folder, log=LOG, report=Interrupts(3))
    with pytest.raises(Stopped):
        run(begun.settings, begun.folder, log=LOG, report=Interrupts(1))
    (begun.folder / "checkpoint.safetensors").unlink()
    return out


def jobs(out: Path, **sections: Any) -> list[Job]:
    return plan(settings(**sections), ["gru4rec"], 3, out)


def test_what_was_asked_for_is_taken(out: Path) -> None:
    refuse_others(jobs(out), LOG)
    assert [job.done("validation") for job in jobs(out)] == [True, False, False]
    assert not any(job.done("test") for job in jobs(out))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_other_settings_are_named(which: int, out: Path) -> None:
    changed = jobs(out, train={"epochs": 3, "warmup": 1, "learning_rate": 0.5, "patience": 2})[which]
    with pytest.raises(ConfigError, match=f"seed-{which}: made with other settings: train.epochs is 2 there, 3 now"):
        refuse_others([changed], LOG)
    with pytest.raises(ConfigError, match="and 1 more; choose another --out"):
        refuse_others([changed], LOG)
    width = jobs(out, models={"gru4rec": {"model": {"width": 16, "hidden": 8}}})[which]
    with pytest.raises(ConfigError, match="settings: model.width is 8 there, 16 now"):
        refuse_others([width], LOG)
    split = jobs(out, split={"protocol": "temporal"})[which]
    with pytest.raises(ConfigError, match="split.protocol is loo there, temporal now"):
        refuse_others([split], LOG)


@pytest.mark.parametrize("which", [0, 1])
def test_another_log_is_refused_and_the_same_one_in_another_place_is_not(which: int, out: Path) -> None:
    job = jobs(out)[which]
    with pytest.raises(ConfigError, match=f"made on a log of digest {LOG.digest}, not {other_log().digest}"):
        refuse_others([job], other_log())
    refuse_others([jobs(out, data={"source": "moved.csv"})[which]], LOG)


def test_a_run_that_never_trained_is_known_by_its_source_only(out: Path, tmp_path: Path) -> None:
    alone = jobs(tmp_path)[2]
    shutil.copytree(jobs(out)[2].folder, alone.folder)
    refuse_others([alone], other_log())  # nothing was learnt yet, from whichever log
    with pytest.raises(ConfigError, match="data.source is simulated there, .*moved.csv now"):
        refuse_others([jobs(tmp_path, data={"source": "moved.csv"})[2]], LOG)


def test_runs_of_other_models_in_the_folder_must_be_of_the_same_log_and_asked_alike(tmp_path: Path) -> None:
    (first,) = plan(settings(), ["popularity"], 1, tmp_path)
    run(first.settings, first.folder, log=LOG)
    refuse_others(plan(settings(train={"epochs": 9}), ["random"], 2, tmp_path), LOG)  # how it is trained is its own
    with pytest.raises(ConfigError, match=f"popularity/seed-0: made on a log of digest {LOG.digest}, not"):
        refuse_others(plan(settings(), ["random"], 1, tmp_path), other_log())
    with pytest.raises(ConfigError, match="popularity/seed-0: .*evaluate.seen is hidden there, allowed now; choose"):
        refuse_others(plan(settings(evaluate={"seen": "allowed"}), ["random"], 1, tmp_path), LOG)
    with pytest.raises(ConfigError, match=r"split\.protocol is loo there, temporal now"):
        refuse_others(plan(settings(split={"protocol": "temporal"}), ["random"], 1, tmp_path), LOG)
    assert not (tmp_path / "random").exists()


@pytest.mark.parametrize("name", ["popularity", "markov", "bpr"])
def test_settings_of_training_that_a_model_has_no_use_for_are_no_difference(name: str, tmp_path: Path) -> None:
    (first,) = plan(settings(), [name], 1, tmp_path)
    run(first.settings, first.folder, log=LOG)
    longer = settings(train={"epochs": 9, "learning_rate": 0.5, "loss": {"kind": "bce"}})
    refuse_others(plan(longer, [name], 1, tmp_path), LOG)
    (split,) = plan(settings(train={"epochs": 9}, split={"protocol": "temporal"}), [name], 1, tmp_path)
    with pytest.raises(
        ConfigError, match="made with other settings: split.protocol is loo there, temporal now; choose"
    ):
        refuse_others([split], LOG)
