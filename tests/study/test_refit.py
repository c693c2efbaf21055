"""A refit is the same run on every event, for the epochs validation found best; nothing is left to measure it on."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recollect.artifact import ArtifactError, load
from recollect.config import ConfigError
from recollect.contracts import Catalog
from recollect.data.histories import Ragged
from recollect.data.log import EventLog, build_log
from recollect.models.markov import Markov
from recollect.study.refit import default_out, refit, refitted
from recollect.study.run import Stopped, resume, run
from recollect.study.scoring import score
from recollect.study.settings import restarted
from recollect.study.side_by_side import side_by_side
from recollect.train.loop import plan, rate_at
from recollect.train.progress import Silent

from .material import small_log, small_settings, write_csv

LOG = small_log()


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes = list[str]()

    def note(self, text: str) -> None:
        self.notes.append(text)


class Watch(Heard):
    """Counts epochs and steps, and presses Ctrl-C at one of them."""

    def __init__(self, stop_at: int = 0) -> None:
        super().__init__()
        self.epochs, self.steps, self.stop_at = 0, 0, stop_at

    def step(self, place: Any, steps: int) -> None:
        self.steps += 1
        if self.steps == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, place: Any, row: Any) -> None:
        self.epochs += 1
        assert "ndcg@10" not in row


@pytest.fixture(scope="module")
def best_of_five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose best epoch is not its last."""
    folder = tmp_path_factory.mktemp("run") / "first"
    changes: dict[str, Any] = {"epochs": 6, "patience": 2, "learning_rate": 0.05, "warmup": 2}
    made = run(small_settings("gru4rec", **changes), folder, log=LOG)
    assert 0 < made.trained.best_epoch < len(made.trained.history)
    return folder


def test_a_counting_model_is_the_one_fitted_on_everything_by_hand(tmp_path: Path) -> None:
    run(small_settings("markov"), tmp_path / "run", log=LOG)
    outcome = refit(tmp_path / "run", log=LOG)
    assert outcome.folder == tmp_path / "run-refit"
    counts = np.bincount(LOG.items, minlength=LOG.item_ids.size)
    by_hand = Markov(Markov.Config(), Catalog(LOG.item_ids.size, counts))
    by_hand.fit(Ragged(LOG.items.astype(np.int64), LOG.times, LOG.offsets))
    kept, held_back = load(outcome.folder).model, load(tmp_path / "run").model
    for name, tensor in by_hand.tensors().items():
        assert torch.equal(kept.tensors()[name], tensor), name
    assert any(not torch.equal(held_back.tensors()[name], tensor) for name, tensor in by_hand.tensors().items())
    assert kept.catalog.counts.tolist() == counts.tolist()  # type: ignore[union-attr]


def test_the_card_says_what_it_is(best_of_five: Path, tmp_path: Path) -> None:
    first = load(best_of_five).card
    outcome = refit(best_of_five, tmp_path / "again", log=LOG)
    card = load(outcome.folder).card
    assert outcome.metrics is None and outcome.ledger is None and "nothing was held out" in outcome.protocol_line
    assert card["refit"]["run"] == str(best_of_five) and card["refit"]["digest"] == first["digest"]
    assert card["refit"]["epochs"] == first["best epoch"] == len(card["history"])
    assert card["refit"]["events"] == len(LOG) and "none of its own" in card["refit"]["test"]
    assert card["refit"]["validation of that run"] == first["validation"]
    assert "validation" not in card and "protocol" not in card
    assert card["learnt"] == {"events": len(LOG), "held out": 0, "until": int(LOG.times.max())}
    held_out = first["learnt"]["held out"]
    assert held_out > 0 and first["learnt"]["events"] + held_out == len(LOG)


def test_it_trains_its_epochs_on_every_event_at_the_rates_of_the_whole_run(
    best_of_five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = load(best_of_five).card["best epoch"]
    watch, totals = Watch(), set[int]()

    def noted(settings: Any, step: int, total: int) -> float:
        totals.add(total)
        return rate_at(settings, step, total)

    monkeypatch.setattr("recollect.train.loop.rate_at", noted)
    outcome = refit(best_of_five, tmp_path / "again", log=LOG, report=watch)
    assert watch.epochs == best
    settings = outcome.settings.train
    assert (settings.epochs, settings.stop_after, settings.minutes) == (6, best, None)
    lengths = np.diff(LOG.offsets)
    model: Any = outcome.trained.model
    assert watch.steps == sum(len(plan(model, lengths, settings, epoch)) for epoch in range(best))
    assert [row["targets"] for row in outcome.trained.history] == [len(LOG)] * best
    whole = {6 * len(plan(model, lengths, settings, epoch)) for epoch in range(best)}
    assert totals == whole, "the fall of the learning rate is that of six epochs"


def test_interrupted_it_goes_on_as_a_refit(best_of_five: Path, tmp_path: Path) -> None:
    whole = refit(best_of_five, tmp_path / "whole", log=LOG)
    with pytest.raises(Stopped):
        refit(best_of_five, tmp_path / "stopped", log=LOG, report=Watch(stop_at=2))
    again = resume(tmp_path / "stopped", log=LOG)
    for name, tensor in whole.trained.model.tensors().items():
        assert torch.equal(again.trained.model.tensors()[name], tensor), name
    assert load(again.folder).card["refit"] == load(whole.folder).card["refit"]


def test_it_is_not_asked_what_it_has_learnt(best_of_five: Path, tmp_path: Path) -> None:
    folder = refit(best_of_five, tmp_path / "again", log=LOG).folder
    for on in ("validation", "test"):
        with pytest.raises(ConfigError, match=rf"{folder}: made on all .* events .*evaluate {best_of_five} instead"):
            score(load(folder), LOG, on=on)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="so it has no test"):
        side_by_side([folder, best_of_five], source=str(write_csv(LOG, tmp_path / "log.csv")))


def test_a_newer_log_brings_its_users_and_items(tmp_path: Path) -> None:
    older = write_csv(LOG, tmp_path / "old.csv")
    settings = small_settings("popularity")
    settings = settings.model_copy(update={"data": settings.data.model_copy(update={"source": str(older)})})
    run(settings, tmp_path / "run")
    (tmp_path / "new.csv").write_text(older.read_text() + "somebody,something,1780000000\n" * 3)
    outcome = refit(tmp_path / "run", source=str(tmp_path / "new.csv"))
    kept = load(outcome.folder)
    assert kept.items.find("something") is not None and kept.card["learnt"]["until"] == 1_780_000_000
    assert kept.settings["data"]["source"] == str(tmp_path / "new.csv")


def test_a_refit_of_a_refit_keeps_the_epochs(best_of_five: Path, tmp_path: Path) -> None:
    first = refit(best_of_five, tmp_path / "one-refit", log=LOG).folder
    assert refitted(first, None).train.stop_after == load(best_of_five).card["best epoch"]
    assert default_out(first) == tmp_path / "one-refit-2"


@pytest.mark.parametrize(
    "name", ["run.toml", "weights.safetensors", "items.json", "learnt.parquet", "item-table.parquet"]
)
def test_a_damaged_run_is_refused_before_anything_is_read(best_of_five: Path, tmp_path: Path, name: str) -> None:
    """Also where it still could be read: a refit with another seed is not the run that was chosen."""
    shutil.copytree(best_of_five, tmp_path / "run")
    text = (tmp_path / "run" / name).read_bytes()
    changed = text.replace(b"seed = 0", b"seed = 5") if name == "run.toml" else bytes([text[0] ^ 1]) + text[1:]
    assert changed != text
    (tmp_path / "run" / name).write_bytes(changed)
    heard = Heard()
    with pytest.raises(ArtifactError, match=f"{name} is not what was written"):
        refit(tmp_path / "run", log=LOG, report=heard)
    with pytest.raises(ArtifactError, match=f"{name} is not what was written"):
        restarted(tmp_path / "run", None)
    assert not heard.notes


def test_filters_of_the_run_are_said(tmp_path: Path) -> None:
    settings = small_settings("popularity")
    limit = int(np.quantile(LOG.times, 0.9))
    filters = settings.data.filters.model_copy(update={"time_to": limit})
    source = str(write_csv(LOG, tmp_path / "log.csv"))
    data = settings.data.model_copy(update={"filters": filters, "source": source})
    run(settings.model_copy(update={"data": data}), tmp_path / "run")
    watch = Watch()
    refit(tmp_path / "run", report=watch)
    assert any(f"data.filters.time_to={limit} of that run still holds" in note for note in watch.notes)


def later(log: EventLog, items: list[str], users: int = 10) -> EventLog:
    """The log with one event more of some users, a day after all others."""
    shown = log.user_ids.decode(log.users), log.item_ids.decode(log.items), log.times
    more = log.user_ids.ids[:users], np.resize(np.array(items, dtype=object), users)
    end = np.full(users, int(log.times.max()) + 86_400)
    columns = [np.concatenate(pair) for pair in zip(shown, (*more, end), strict=True)]
    return build_log(columns[0], columns[1].astype(object), columns[2], name="newer")


def test_what_starts_from_a_refit_is_not_asked_what_that_has_learnt(best_of_five: Path, tmp_path: Path) -> None:
    folder = refit(best_of_five, tmp_path / "again", log=LOG).folder
    settings = small_settings("gru4rec", epochs=1, start_from=str(folder))
    with pytest.raises(ConfigError, match=f"refitted on all of its events.*start from {best_of_five}, or hold out"):
        run(settings, tmp_path / "next", log=LOG)
    assert not (tmp_path / "next").exists()
    items = [str(one) for one in LOG.item_ids.ids[:3]]
    newer = later(LOG, items, users=len(LOG.user_ids))  # every last event is new, every validation event is not
    with pytest.raises(ConfigError, match=f"it has learnt {len(LOG.user_ids)} of the {2 * len(LOG.user_ids)} targets"):
        run(settings, tmp_path / "next", log=newer)
    run(small_settings("gru4rec", epochs=1, start_from=str(best_of_five)), tmp_path / "next", log=newer)


def titled(folder: Path) -> dict[str, tuple[Any, ...]]:
    """For each id of a kept model its title and the values of its columns."""
    kept = load(folder)
    columns = () if kept.item_table is None else tuple(kept.item_table.columns.values())
    rows = zip(kept.items.ids.tolist(), kept.titles[1:].tolist(), *columns, strict=True)
    return {str(item): tuple(rest) for item, *rest in rows}


def with_events(rows: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Without the items that a file of the log's events does not name."""
    met = {str(one) for one in LOG.item_ids.decode(LOG.items)}
    return {item: row for item, row in rows.items() if item in met}


def test_a_log_without_an_item_table_keeps_that_of_the_run(tmp_path: Path) -> None:
    assert LOG.item_table is not None
    run(small_settings("popularity"), tmp_path / "run", log=LOG)
    newer, watch = write_csv(LOG, tmp_path / "newer.csv"), Watch()
    newer.write_text(newer.read_text() + "somebody,something,1780000000\n" * 3)
    folder = refit(tmp_path / "run", source=str(newer), report=watch).folder
    after, before = titled(folder), with_events(titled(tmp_path / "run"))
    new, described = after.pop("something"), len(before)
    assert after == before and described > 20 and all(item != title for item, (title, *_) in before.items())
    assert new[0] == "something" and all(one is None or one != one for one in new[1:])  # nan
    columns = ", ".join(LOG.item_table.columns)
    (said,) = (note for note in watch.notes if "item table" in note)
    assert said == (
        f"the item table of {tmp_path / 'run'} is kept, since newer names none ({columns}): it describes "
        f"{described} of {described + 1} items; --items names another"
    )
    again = refit(folder, tmp_path / "again", source=str(newer)).folder
    assert titled(again) == {**after, "something": new}, "a refit of a refit keeps it too"


def test_what_starts_from_a_run_keeps_its_item_table_too(best_of_five: Path, tmp_path: Path) -> None:
    newer = dataclasses.replace(later(LOG, [str(one) for one in LOG.item_ids.ids[:3]], 5), item_table=None)
    heard = Heard()
    run(small_settings("gru4rec", epochs=1, start_from=str(best_of_five)), tmp_path / "next", log=newer, report=heard)
    described = with_events(titled(best_of_five))
    assert titled(tmp_path / "next") == described and len(described) > 20
    assert any(f"the item table of {best_of_five} is kept" in note for note in heard.notes)


def test_an_item_table_that_is_named_replaces_that_of_the_run(tmp_path: Path) -> None:
    run(small_settings("popularity"), tmp_path / "run", log=LOG)
    items = [str(one) for one in LOG.item_ids.ids]
    (tmp_path / "items.csv").write_text("item,title,colour\n" + "".join(f"{one},new {one},red\n" for one in items))
    newer, watch = write_csv(LOG, tmp_path / "newer.csv"), Watch()
    folder = refit(tmp_path / "run", source=str(newer), items=str(tmp_path / "items.csv"), report=watch).folder
    assert titled(folder) == with_events({one: (f"new {one}", f"new {one}", "red") for one in items})
    assert not any("is kept" in note for note in watch.notes)


def test_a_log_of_other_items_has_nothing_of_the_table(tmp_path: Path) -> None:
    run(small_settings("popularity"), tmp_path / "run", log=LOG)
    (tmp_path / "newer.csv").write_text("user,item,time\n" + "somebody,something,1780000000\n" * 3)
    watch = Watch()
    folder = refit(tmp_path / "run", source=str(tmp_path / "newer.csv"), report=watch).folder
    assert load(folder).item_table is None and any("describes 0 of 1 items" in note for note in watch.notes)


def test_a_stopped_refit_keeps_the_table_when_it_goes_on(best_of_five: Path, tmp_path: Path) -> None:
    newer = str(write_csv(LOG, tmp_path / "newer.csv"))
    with pytest.raises(Stopped):
        refit(best_of_five, tmp_path / "stopped", source=newer, report=Watch(stop_at=2))
    assert titled(resume(tmp_path / "stopped").folder) == with_events(titled(best_of_five))
