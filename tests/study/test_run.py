"""A run ends in a model whose figures can be had again; interrupted, it goes on from its folder to the same weights."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recollect.artifact import CARD, PARTS, SETTINGS, TABLE, ArtifactError, load
from recollect.config import ConfigError
from recollect.data.histories import known_histories
from recollect.data.learnt_events import RECORD
from recollect.data.log import DataError, build_log
from recollect.data.splits import loo
from recollect.data.summary import summarise
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.study.run import EPOCHS, VALIDATION, Stopped, default_folder, finish, resume, run
from recollect.study.scoring import SCORINGS, data_of, note_scoring, score
from recollect.train.fit import CHECKPOINT
from recollect.train.progress import Silent

from .material import small_log, small_settings, write_csv

LOG = small_log()


class Interrupts(Silent):
    """Presses Ctrl-C at a step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, place: Any, steps: int) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(small_settings(), tmp_path_factory.mktemp("run") / "whole", log=LOG).folder


def test_a_run_leaves_a_model_and_its_figures(whole: Path) -> None:
    assert sorted(path.name for path in whole.iterdir()) == sorted([*PARTS, TABLE, CARD, EPOCHS, VALIDATION, RECORD])
    assert [path.name for path in whole.parent.iterdir()] == ["whole"]
    trained = load(whole)
    assert trained.card["data"]["digest"] == LOG.digest
    assert trained.titles[1:].tolist() == LOG.titles()[1:].tolist()
    assert trained.item_table is not None and LOG.item_table is not None
    assert trained.item_table["title"].tolist() == LOG.item_table["title"].tolist()
    ledger = Ledger.load(whole / VALIDATION)
    assert measure(ledger)["ndcg@10"] == trained.card["validation"]["values"]["ndcg@10"]
    epochs = [json.loads(line) for line in (whole / EPOCHS).read_text().splitlines()]
    assert epochs == trained.card["history"] and len(epochs) == 2


def test_the_kept_model_gives_the_same_ranks_again(whole: Path) -> None:
    again = score(load(whole), LOG, on="validation")
    assert np.array_equal(again.rank, Ledger.load(whole / VALIDATION).rank)


def test_a_run_that_may_know_the_last_events_only_is_asked_so_everywhere(whole: Path, tmp_path: Path) -> None:
    settings = small_settings(batches={"tokens": 128, "context": 3}, precision="32")
    evaluate = settings.evaluate.model_copy(update={"history": 3})
    settings = settings.model_copy(update={"evaluate": evaluate})
    found = run(settings, tmp_path / "near", log=LOG)
    assert "| history last 3 |" in found.protocol_line and found.metrics is not None
    near, far = load(found.folder), load(whole)
    best = max(row["ndcg@10"] for row in near.card["history"])
    assert best == pytest.approx(found.metrics["ndcg@10"]), "epochs are validated as the whole is"
    again = score(near, LOG, on="validation")
    assert np.array_equal(again.rank, Ledger.load(found.folder / VALIDATION).rank)
    for trained, history, said in ((near, "whole", "whole"), (far, 3, "last 3"), (far, None, "whole")):
        ledger = score(trained, LOG, on="validation", history=history)
        assert ledger.protocols["xlstm-lsr"].history == said
        assert np.array_equal(ledger.rank, again.rank) is False
    forgetful = dataclasses.replace(LOG, items=LOG.items.copy())
    for user in range(len(LOG.user_ids)):  # what lies further back than the last three is changed
        first, end = LOG.offsets[user], loo(LOG).validation.positions[user]
        forgetful.items.setflags(write=True)
        forgetful.items[first : end - 3] = np.roll(LOG.items[first : end - 3], 1)
    assert np.array_equal(rank(near, forgetful, loo(LOG).validation, seen="allowed", last=3).rank, again.rank)


@pytest.mark.parametrize("at", [1, 3, 6])
def test_an_interrupted_run_goes_on_to_the_same_weights(at: int, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="recollect train --resume"):
        run(small_settings(), tmp_path / "run", log=LOG, report=Interrupts(at))
    assert {SETTINGS, CHECKPOINT} <= {path.name for path in (tmp_path / "run").iterdir()}
    with pytest.raises(ArtifactError, match="--resume"):
        load(tmp_path / "run")
    with pytest.raises(ArtifactError, match="unfinished run is there"):
        run(small_settings(), tmp_path / "run", log=LOG)
    outcome = resume(tmp_path / "run", log=LOG)
    assert not (outcome.folder / CHECKPOINT).exists()
    expected, got = load(whole), load(outcome.folder)
    for name, tensor in expected.model.tensors().items():
        assert torch.equal(tensor, got.model.tensors()[name]), name
    losses = [[row["loss"] for row in one.card["history"]] for one in (expected, got)]
    assert losses[0] == losses[1]
    assert len((outcome.folder / EPOCHS).read_text().splitlines()) == 2
    with pytest.raises(ConfigError, match="has ended"):
        resume(outcome.folder, log=LOG)


def test_an_interrupted_run_is_finished_with_its_best_epoch(tmp_path: Path) -> None:
    settings = small_settings("gru4rec", epochs=8, patience=8, learning_rate=0.05, warmup=2)
    whole = run(settings, tmp_path / "whole", log=LOG)
    steps = len((tmp_path / "whole" / EPOCHS).read_text().splitlines())
    assert steps == 8
    an_epoch = Interrupts(0)
    run(small_settings("gru4rec", epochs=1), tmp_path / "count", log=LOG, report=an_epoch)
    with pytest.raises(Stopped, match="recollect train --finish"):
        run(settings, tmp_path / "run", log=LOG, report=Interrupts(-5 * an_epoch.left + 2))
    outcome = finish(tmp_path / "run", log=LOG)
    scores = [row["ndcg@10"] for row in whole.trained.history[:5]]
    best = int(np.argmax(scores)) + 1
    assert outcome.trained.best_epoch == best
    short = small_settings("gru4rec", epochs=8, patience=8, learning_rate=0.05, warmup=2, stop_after=best)
    expected = run(short, tmp_path / "short", log=LOG)  # the same run, ended where it was best
    kept = load(tmp_path / "run")
    for name, tensor in expected.trained.model.tensors().items():
        assert torch.equal(kept.model.tensors()[name], tensor), name
    assert kept.card["finished early"] == {"epochs": 5, "of": 8}
    assert kept.card["validation"] == load(tmp_path / "short").card["validation"]
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    with pytest.raises(ConfigError, match="has ended; there is nothing to finish"):
        finish(tmp_path / "run", log=LOG)


def test_another_log_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(small_settings(), tmp_path / "run", log=LOG, report=Interrupts(2))
    events = LOG.times.copy()
    events[0] -= 1
    other = build_log(LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items), events)
    with pytest.raises(ConfigError, match="another data"):
        resume(tmp_path / "run", log=other)


def test_what_fails_before_training_leaves_nothing(tmp_path: Path) -> None:
    short = build_log(np.array([1, 2]), np.array([1, 2]), np.array([5, 6]))
    with pytest.raises(DataError):
        run(small_settings(), tmp_path / "run", log=short)
    one_each = build_log(np.repeat([1, 2], 3), np.tile([1, 2, 3], 2), np.arange(6))  # one training event a user
    with pytest.raises(DataError, match="nothing to learn from"):
        run(small_settings(), tmp_path / "run", log=one_each)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_touched(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    before = (whole / CARD).read_bytes()
    for place, word in ((tmp_path, "something"), (tmp_path / "mine", "something"), (whole, "a trained model")):
        with pytest.raises(ArtifactError, match=f"{word} is there already"):
            run(small_settings("popularity"), place, log=LOG)
    assert (tmp_path / "mine").read_text() == "mine" and (whole / CARD).read_bytes() == before


def test_a_full_disk_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import recollect.train.checkpoint as checkpoint

    saving, saved = checkpoint.save_file, []

    def fills(*arguments: Any) -> None:
        if saved:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        saved.append(saving(*arguments))

    monkeypatch.setattr(checkpoint, "save_file", fills)
    with pytest.raises(ArtifactError, match="the disk is full.*recollect train --resume"):
        run(small_settings(), tmp_path / "run", log=LOG)
    monkeypatch.undo()
    assert load(resume(tmp_path / "run", log=LOG).folder).name == "xlstm-lsr"


def test_a_default_folder_is_never_taken_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = set()
    for _ in range(3):
        folder = default_folder("markov", "../a b/(1)")
        assert folder.parent == tmp_path / "runs" and folder.name.startswith("markov-a-b-1")
        folder.mkdir(parents=True)
        names.add(folder)
    assert len(names) == 3


def test_a_relative_source_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{user},{item},{item}" for user in range(4) for item in range(1, 6)]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "\n".join(lines))
    monkeypatch.chdir(tmp_path)
    settings = small_settings("popularity")
    settings = settings.model_copy(update={"data": settings.data.model_copy(update={"source": "log.csv"})})
    outcome = run(settings, "run")
    assert load("run").settings["data"]["source"] == str(tmp_path / "log.csv")
    assert outcome.folder == tmp_path / "run"


def test_a_named_log_is_found_again_without_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "logs" / "mine"
    folder.mkdir(parents=True)
    lines = [f"{user},{item},{item}" for user in range(4) for item in range(1, 6)]
    (folder / "log.csv").write_text("user,item,time\n" + "\n".join(lines))
    monkeypatch.setenv("RECOLLECT_DATA", str(tmp_path / "logs"))
    settings = small_settings("popularity")
    settings = settings.model_copy(update={"data": settings.data.model_copy(update={"source": "mine"})})
    outcome = run(settings, tmp_path / "run")
    monkeypatch.delenv("RECOLLECT_DATA")
    assert data_of(load(outcome.folder)).digest == load(outcome.folder).card["data"]["digest"]


def test_a_split_whose_answers_were_learnt_is_refused(whole: Path) -> None:
    trained = load(whole)
    with pytest.raises(ConfigError, match="has learnt .* validation answers of temporal"):
        score(trained, LOG, protocol="temporal", on="validation")
    ledger = score(trained, LOG, protocol="temporal", on="test")
    (protocol,) = ledger.protocols.values()
    assert "but trained under loo" in protocol.line()


def test_other_items_are_refused_and_other_events_are_not(whole: Path) -> None:
    trained = load(whole)
    other = build_log(np.repeat([1, 2], 4), np.tile([1, 2, 3, 4], 2), np.arange(8), name="other")
    with pytest.raises(DataError, match="other holds 4 items"):
        score(trained, other)


def test_scorings_of_test_are_noted(whole: Path, tmp_path: Path) -> None:
    ledger = score(load(whole), LOG)
    assert [note_scoring(tmp_path, ledger, measure(ledger)) for _ in range(2)] == [1, 2]
    rows = [json.loads(line) for line in (tmp_path / SCORINGS).read_text().splitlines()]
    assert rows[0]["ndcg@10"] == pytest.approx(measure(ledger)["ndcg@10"], abs=1e-6)
    assert "loo, test" in rows[0]["protocol"] and rows[0]["date"]


def test_histories_of_a_newer_log_keep_what_the_model_knows() -> None:
    known, _ = known_histories(LOG, LOG.item_ids)
    assert np.array_equal(known.items, LOG.items)
    ids = LOG.item_ids.ids
    newer = build_log(
        np.array(["a", "a", "b", "b"], dtype=object),
        np.array([ids[3], "new", "new", ids[0]], dtype=object),
        np.arange(4),
    )
    histories, unknown = known_histories(newer, LOG.item_ids)
    assert unknown == 2
    assert [row.tolist() for row in histories] == [[4], [1]] and histories.times.tolist() == [0, 3]


@pytest.mark.parametrize("source", ["mine", "mine/raw", "mine/raw/ratings.csv", "data/mine/raw", "data/*/raw/*.csv"])
def test_a_run_finds_its_log_from_anywhere(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data/mine/raw").mkdir(parents=True)
    write_csv(small_log(), tmp_path / "data/mine/raw/ratings.csv")
    monkeypatch.delenv("RECOLLECT_DATA", raising=False)  # the data folder is then `data`, here
    monkeypatch.chdir(tmp_path)
    settings = small_settings("popularity")
    made = run(settings.model_copy(update={"data": settings.data.model_copy(update={"source": source})}), "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = data_of(load(made.folder))
    assert len(again) == len(small_log()) and again.digest == load(made.folder).card["data"]["digest"]


def test_a_run_from_an_older_one_is_resumed_without_it(whole: Path, tmp_path: Path) -> None:
    older = Path(shutil.copytree(whole, tmp_path / "older"))
    settings = small_settings(start_from=str(older))
    expected = run(settings, tmp_path / "expected", log=LOG).trained.model.tensors()
    with pytest.raises(Stopped):
        run(settings, tmp_path / "run", log=LOG, report=Interrupts(4))
    older.rename(tmp_path / "moved")
    got = resume(tmp_path / "run", log=LOG).trained.model.tensors()
    assert all(torch.equal(tensor, got[name]) for name, tensor in expected.items())
    fresh = load(whole).model.tensors()
    assert any(not torch.equal(tensor, expected[name]) for name, tensor in fresh.items())


def test_an_older_run_that_learnt_more_than_this_log_has_is_refused(whole: Path, tmp_path: Path) -> None:
    keep = LOG.times < np.quantile(LOG.times, 0.8)
    users, items = LOG.user_ids.decode(LOG.users[keep]), LOG.item_ids.decode(LOG.items[keep])
    earlier = build_log(users, items, LOG.times[keep])
    with pytest.raises(ConfigError, match=r"it has learnt \d+ of the \d+ targets that this run holds out"):
        run(small_settings(epochs=1, start_from=str(whole)), tmp_path / "run", log=earlier)
    assert not (tmp_path / "run").exists()
    told = Told()
    run(small_settings(epochs=1, start_from=str(whole)), tmp_path / "same", log=LOG, report=told)
    assert not any("learnt" in text for text in told.texts)


def test_a_shorter_log_that_asks_what_was_learnt_is_no_test(whole: Path) -> None:
    keep = np.ones(len(LOG), bool)
    keep[loo(LOG).test.positions[:5]] = (
        False  # so what was their validation is asked as test, and their last training event as validation
    )
    columns = {name: getattr(LOG, name)[keep] for name in ("users", "items", "times")}
    shorter, trained = dataclasses.replace(LOG, **columns, values={}), load(whole)
    assert len(score(trained, shorter)), "no target of validation was learnt"
    with pytest.raises(ConfigError, match=r"it has learnt 5 of the \d+ validation answers of simulated"):
        score(trained, shorter, on="validation")


class Told(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def test_kept_duplicates_are_counted_as_inspect_counts_them(tmp_path: Path) -> None:
    told = Told()
    run(small_settings("popularity"), tmp_path / "none", log=LOG, report=told)
    assert not any("repeat an earlier" in note for note in told.texts)
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    again = np.array([0, 1, 2, 2, len(LOG) - 1])
    columns = (np.append(column, column[again]) for column in (users, items, LOG.times))
    doubled = build_log(*columns)
    told = Told()
    run(small_settings("popularity"), tmp_path / "five", log=doubled, report=told)
    (said,) = (note for note in told.texts if "repeat an earlier" in note)
    assert said.startswith("duplicates: 5 rows repeat an earlier one (user, item and time); kept")
    (line,) = (line for line in summarise(doubled).lines() if line.startswith("duplicates"))
    assert line.removeprefix("duplicates").strip() in said
