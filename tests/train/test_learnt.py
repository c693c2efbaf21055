"""Weights that start from an older run are never asked what that run has learnt, however the logs of the two differ."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recollect import artifact
from recollect.config import ConfigError
from recollect.data.learnt_events import RECORD, LearntEvents
from recollect.data.log import EventLog, build_log
from recollect.data.splits import everything, loo
from recollect.train.fit import fit
from recollect.train.learnt import learnt_in
from recollect.train.trained import Trained

from .material import SMALL, log, settings
from .test_fit import Notes

LOG = log()


def without(share: float, given: EventLog = LOG, *, clock: bool = True) -> EventLog:
    """The log with a part of its events gone, as another --where would leave it."""
    keep = np.random.default_rng(0).random(len(given)) >= share
    users, items = given.user_ids.decode(given.users[keep]), given.item_ids.decode(given.items[keep])
    return build_log(users, items, given.times[keep] if clock else None)


def train(data: EventLog, older: Path | None = None, report: Notes | None = None) -> Trained:
    started = {} if older is None else {"start_from": str(older)}
    given = settings(epochs=1, **started)
    return fit("gru4rec", loo(data), given, model=SMALL["gru4rec"], seen="allowed", report=report or Notes())


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(LOG).save(tmp_path_factory.mktemp("older") / "run")


def test_a_reduced_log_that_asks_what_was_learnt_is_refused(older: Path) -> None:
    reduced = without(0.1)
    split, learnt = loo(reduced), set(zip(*_training_of(LOG), strict=True))
    targets = np.union1d(split.validation.positions, split.test.positions)
    asked = zip(
        reduced.user_ids.decode(reduced.users[targets]).tolist(),
        reduced.item_ids.decode(reduced.items[targets]).tolist(),
        reduced.times[targets].tolist(),
        strict=True,
    )
    known = sum(one in learnt for one in asked)
    assert known > 0
    with pytest.raises(ConfigError, match=f"it has learnt {known} of the {len(targets)} targets that this run"):
        train(reduced, older)


def test_the_same_log_and_a_longer_one_are_honest(older: Path) -> None:
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    late = np.arange(40) + LOG.times.max() + 1
    longer = build_log(
        np.append(users, np.arange(40)), np.append(items, np.arange(40) % 30), np.append(LOG.times, late)
    )
    for data in (LOG, longer):
        told = Notes()
        train(data, older, told)
        assert not any("learnt" in text for text in told.texts)


def test_what_a_chain_of_runs_has_learnt_is_remembered(older: Path, tmp_path: Path) -> None:
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    others = build_log(users + 1000, items, LOG.times)  # other people, so nothing of the first log is in it
    second = train(others, older).save(tmp_path / "second")
    with pytest.raises(ConfigError, match="it has learnt"):
        train(without(0.1), second)
    assert learnt_in(second, loo(LOG)).numbers.size == 2 * learnt_in(older, loo(LOG)).numbers.size


def test_events_written_otherwise_are_said(older: Path) -> None:
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    told = Notes()
    train(build_log(users, items, LOG.times - 3600), older, told)
    assert any(f"has learnt from 0 of the {len(LOG):,} events of log that are as old" in text for text in told.texts)
    rounded = np.where(np.arange(len(LOG)) % 10, LOG.times - 1, LOG.times)  # a tenth was at a whole minute, say
    told = Notes()
    train(build_log(users, items, rounded), older, told)
    assert any("cannot be known" in text for text in told.texts)


def test_a_log_of_other_users_shares_nothing_so_nothing_was_learnt(older: Path, tmp_path: Path) -> None:
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    others, unordered = (build_log(users + 1000, items, times) for times in (LOG.times, None))
    for data in (others, unordered):
        told = Notes()
        second = train(data, older, told).save(tmp_path / f"second-{data.clock}")
        assert not any("cannot be known" in text for text in told.texts)
        (said,) = (text for text in told.texts if "learnt" in text)
        assert said.startswith(f"no user whose events this run holds out is among those that {older} has learnt from")
        known = learnt_in(second, loo(LOG)).users
        assert known is not None and len(known) == 2 * len(LOG.user_ids), "those of the older run are handed on"
    mixed = build_log(np.where(users == users[-1], users, users + 1000), items, LOG.times - 3600)
    told = Notes()
    train(mixed, older, told)
    assert any("cannot be known" in text for text in told.texts), "one user of both logs is enough"


def test_a_record_without_users_says_no_more_than_before(older: Path, tmp_path: Path) -> None:
    """As version 0.1 kept it."""
    before, trained = tmp_path / "before", train(LOG)
    artifact.save(before, trained.model, LOG.item_ids, trained.settings)
    dataclasses.replace(LearntEvents.load(older / RECORD), users=None).save(before / RECORD)
    assert LearntEvents.load(before / RECORD).users is None
    users, items = LOG.user_ids.decode(LOG.users), LOG.item_ids.decode(LOG.items)
    others, told = build_log(users + 1000, items, LOG.times), Notes()
    train(others, before, told)
    assert any("has learnt from 0 of the" in text and "cannot be known" in text for text in told.texts)


def test_logs_without_times_are_said(older: Path, tmp_path: Path) -> None:
    told = Notes()
    train(without(0.1, clock=False), older, told)
    assert any("with times and log has only an order: whether it has learnt" in text for text in told.texts)
    ordered = without(0, clock=False)
    base = train(ordered).save(tmp_path / "ordered")
    told = Notes()
    train(ordered, base, told)
    assert any("was checked by user and item alone" in text for text in told.texts)


def test_a_run_without_a_record_is_judged_by_its_log_or_its_time(older: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    trained, split = train(LOG), loo(LOG)
    card = {
        "data": {"digest": LOG.digest, "clock": True},
        "protocol": {"split": "loo, validation"},
        "learnt": {"until": int(split.train.times.max())},
    }
    artifact.save(before, trained.model, LOG.item_ids, trained.settings, about=card)
    assert not (before / RECORD).exists()
    train(LOG, before)  # the same log and split: the same training part
    with pytest.raises(ConfigError, match="it may have learnt"):
        train(without(0.1), before)
    unsaid = tmp_path / "unsaid"
    artifact.save(unsaid, trained.model, LOG.item_ids, trained.settings)
    told = Notes()
    train(without(0.1), unsaid, told)
    assert any("no record of all the events it has learnt from" in text for text in told.texts)


def test_a_kept_model_has_its_record(older: Path) -> None:
    record = LearntEvents.load(older / RECORD)
    assert record.numbers.tolist() == LearntEvents.of(loo(LOG)).numbers.tolist()
    assert RECORD in json.loads((older / artifact.CARD).read_text())["files"]
    assert artifact.record_in(older) is not None
    assert LearntEvents.of(everything(LOG)).numbers.size > record.numbers.size


@pytest.mark.parametrize("how", ["changed", "another", "gone"])
def test_a_damaged_record_is_refused_in_one_line(how: str, older: Path, tmp_path: Path) -> None:
    """Another file that is whole would let a run ask what it has learnt."""
    kept = Path(shutil.copytree(older, tmp_path / "kept"))
    data = bytearray((kept / RECORD).read_bytes())
    if how == "changed":
        data[len(data) // 2] ^= 1
        (kept / RECORD).write_bytes(data)
    elif how == "another":
        LearntEvents.of(loo(without(0.5))).save(kept / RECORD)
    else:
        (kept / RECORD).unlink()
    what = "is missing" if how == "gone" else "is not what was written"
    said = f"^{kept}: this model is damaged \\(learnt.parquet {what}\\); copy it again or train it again$"
    for ask in (artifact.load, artifact.record_in, lambda folder: train(LOG, folder)):
        with pytest.raises(artifact.ArtifactError, match=said):
            ask(kept)


def test_the_record_is_no_part_of_the_digest(older: Path, tmp_path: Path) -> None:
    trained = train(LOG)
    artifact.save(tmp_path / "bare", trained.model, LOG.item_ids, trained.settings)
    trained.save(tmp_path / "kept")
    bare, kept = (artifact.load(tmp_path / name) for name in ("bare", "kept"))
    assert bare.digest == kept.digest and RECORD not in bare.card["files"]


def _training_of(given: EventLog) -> tuple[list[object], list[object], list[int]]:
    split = loo(given)
    inside = np.array([p for p in range(len(given)) if p < split.train_ends[given.users[p]]])
    users, items = given.user_ids.decode(given.users[inside]), given.item_ids.decode(given.items[inside])
    return users.tolist(), items.tolist(), given.times[inside].tolist()
