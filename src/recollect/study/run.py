"""One run from a log to a trained model in a folder: read, split, fit, measure on validation, keep.

While it lasts the folder holds run.toml, the epochs so far and a checkpoint; when it has ended it holds the artifact
and the validation ledger, and the checkpoint is gone. An interrupted run is taken up from its folder alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from recollect import artifact
from recollect.artifact import ArtifactError
from recollect.config import ConfigError, to_toml
from recollect.contracts import Network
from recollect.data import baskets, filters, summary
from recollect.data.histories import Split
from recollect.data.learnt_events import RECORD, LearntEvents
from recollect.data.log import DataError, EventLog
from recollect.data.sources import DATA_DIR, is_place, is_simulated, read
from recollect.data.splits import everything, loo, temporal
from recollect.evaluate.ledger import Ledger
from recollect.evaluate.metrics import Metrics, measure
from recollect.evaluate.ranking import rank
from recollect.study.kept_table import with_kept_table
from recollect.study.lineage import LEARNT, learnt, read_as, refit_card, remarks_on_refit
from recollect.study.settings import DataSettings, RunSettings, SplitSettings, settings_in, to_plain
from recollect.train.device import check_device, refuse_several_processes
from recollect.train.fit import CHECKPOINT, best_so_far, fit
from recollect.train.learnt import learnt_by
from recollect.train.loop import Interrupted, last_epoch
from recollect.train.progress import Reporter, Silent
from recollect.train.trained import Trained

EPOCHS, VALIDATION = "epochs.jsonl", "validation.parquet"
KEPT = (EPOCHS, VALIDATION)
"""What stays in a run's folder beside the artifact."""


class Stopped(Exception):
    """The run was interrupted and its state is kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"stopped; nothing is lost. To go on: recollect train --resume {folder}; to keep its best epoch as it is: "
            f"recollect train --finish {folder}"
        )
        self.folder = folder


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run gives: where the model lies, how training went, and the validation figures with their protocol.

    A run that holds nothing out has no figures: `ledger` and `metrics` are None, and the protocol line says so.
    """

    folder: Path
    settings: RunSettings
    trained: Trained
    ledger: Ledger | None
    metrics: Metrics | None
    learnt: Mapping[str, Any]
    """How many events were learnt from (`events`) and held out (`held out`), and `until` when."""

    @property
    def protocol_line(self) -> str:
        if self.ledger is None:
            return "no figures: nothing was held out"
        return self.ledger.protocols[self.settings.model_name].line()


def run(
    settings: RunSettings, out: str | Path | None = None, *, log: EventLog | None = None, report: Reporter | None = None
) -> Outcome:
    """Train, measure on validation and keep the model in `out` (by default `runs/<model>-<data>-<date>`).

    `log`: what was read already, instead of `settings.data`. Raises DataError, ConfigError, ArtifactError, or
    `Stopped` after an interruption; whatever goes wrong before training begins leaves no folder behind.
    """
    refuse_several_processes()
    check_device(settings.train)
    folder = None if out is None else Path(os.path.abspath(out))
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if (folder / artifact.SETTINGS).is_file() and not artifact.is_artifact(folder):
            raise ArtifactError(f"{out}: an unfinished run is there; go on with: recollect train --resume {out}")
        what = "a trained model" if artifact.is_artifact(folder) else "something"
        raise ArtifactError(f"{out}: {what} is there already; choose another folder")
    settings = placed(settings)
    split = _split(settings, log)
    folder = folder or default_folder(settings.model_name, split.log.name)
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = folder / f".{artifact.SETTINGS}"
        waiting.write_text(to_toml(to_plain(settings)), encoding="utf-8")
        waiting.replace(folder / artifact.SETTINGS)
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written ({artifact.reason(error)})") from None
    try:
        return _run(settings, split, folder, report or Silent(), resume=False)
    except Stopped:
        raise
    except BaseException:
        if not (folder / CHECKPOINT).is_file() and not artifact.is_artifact(folder):  # nothing to go on from
            for name in (artifact.SETTINGS, *KEPT, RECORD):
                (folder / name).unlink(missing_ok=True)
            if new and not any(folder.iterdir()):
                folder.rmdir()
        raise


def resume(folder: str | Path, *, report: Reporter | None = None, log: EventLog | None = None) -> Outcome:
    """Take up an interrupted run; it ends with the weights of one that was never interrupted."""
    refuse_several_processes()
    folder = Path(os.path.abspath(folder))
    settings, split = _unfinished(folder, log, "resume")
    return _run(settings, split, folder, report or Silent(), resume=True)


def finish(folder: str | Path, *, report: Reporter | None = None, log: EventLog | None = None) -> Outcome:
    """End an interrupted run where it is: its best validated epoch becomes the model that is kept.

    Raises ConfigError where no epoch has been validated yet, as in a refit.
    """
    folder, report = Path(os.path.abspath(folder)), report or Silent()
    settings, split = _unfinished(folder, log, "finish")
    for line in remarks(split):
        report.note(line)
    trained = best_so_far(
        settings.model_name, settings.model_fields_given, split, settings.train, settings.evaluate, folder
    )
    report.note(f"kept: epoch {trained.best_epoch}, the best of {len(trained.history)}")
    return _measured(settings, split, folder, trained, report)


def _unfinished(folder: Path, log: EventLog | None, verb: str) -> tuple[RunSettings, Split]:
    if artifact.is_artifact(folder):
        raise ConfigError(f"{folder}: this run has ended; there is nothing to {verb}")
    if not (folder / artifact.SETTINGS).is_file():
        raise ConfigError(f"{folder}: no run to {verb} (there is no {artifact.SETTINGS} in it)")
    settings = settings_in(folder)
    return settings, _split(settings, log)


def _split(settings: RunSettings, log: EventLog | None) -> Split:
    """What training, validation and test are made of; `log`: what was read already."""
    log = read_data(settings.data) if log is None else log
    return split_data(with_kept_table(log, settings), settings.split)


def read_data(settings: DataSettings, *, items: Any = None) -> EventLog:
    """The log a run is about, filtered. `items`: a table of them instead of the file that the settings name."""
    reading = settings.model_dump(exclude={"source", "filters"})
    if items is not None:
        reading["items"] = items
    return filters.apply(read(settings.source, **reading), settings.filters)


def split_data(log: EventLog, settings: SplitSettings) -> Split:
    """The log, cut as the run says."""
    if settings.protocol == "none":
        return everything(log)
    if settings.protocol == "loo":
        return loo(log, events=settings.events)
    split = temporal(log, validation=settings.validation, test=settings.test, target=settings.target)
    for targets, period in ((split.validation, "validation"), (split.test, "test")):
        if len(targets) == 0:
            raise DataError(
                f"{log.name}: nobody has an event in the {period} period; move split.validation or split.test"
            )
    return split


def default_folder(model: str, data: str) -> Path:
    """`runs/<model>-<data>-<date>`, with a number where that is taken."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", data).strip("-.")[:60] or "log"
    first = Path("runs") / f"{model}-{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    folder, number = first, 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return Path(os.path.abspath(folder))


def _run(settings: RunSettings, split: Split, folder: Path, report: Reporter, *, resume: bool) -> Outcome:
    begins = not (resume and (folder / CHECKPOINT).is_file())
    for line in (*remarks(split), *(remarks_on_refit(settings, split.log) if begins else ())):
        report.note(line)
    with _full_disk_said(folder):
        if begins:  # now, while the run that it starts from is there
            learnt_by(split, settings.train.start_from).save(folder / RECORD)
        try:
            trained = fit(
                settings.model_name,
                split,
                settings.train,
                model=settings.model_fields_given,
                seen=settings.evaluate.seen,
                request_time=settings.evaluate.tells_time,
                history=settings.evaluate.history,
                folder=folder,
                resume=resume,
                report=Recorded(report, folder / EPOCHS),
            )
        except Interrupted:
            raise Stopped(folder) from None
    return _measured(settings, split, folder, trained, report)


def _measured(settings: RunSettings, split: Split, folder: Path, trained: Trained, report: Reporter) -> Outcome:
    """Rank the validation targets, if there are any, and keep the model."""
    name, ledger, begun = settings.model_name, None, time.monotonic()
    with _full_disk_said(folder):
        if len(split.validation):
            ledger = rank(
                trained,
                split.log,
                split.validation,
                seen=settings.evaluate.seen,
                request_time=settings.evaluate.tells_time,
                last=settings.evaluate.history,
                run=name,
                seed=settings.train.seed,
            )
            ledger.save(folder / VALIDATION)
    cost = _cost(trained)
    if not (folder / RECORD).is_file():  # begun by a version that kept none
        learnt_by(split, settings.train.start_from).save(folder / RECORD)
    record = LearntEvents.load(folder / RECORD)
    metrics, learns = None, learnt(split, record)
    about: dict[str, Any] = {
        "model": name,
        "data": read_as(split.log),
        LEARNT: learns,
        **refit_card(settings, split),
    }
    if ledger is not None:
        metrics = measure(ledger)
        about |= {
            "protocol": dataclasses.asdict(ledger.protocols[name]),
            "protocol line": ledger.protocols[name].line(),
            "validation": {"values": dict(metrics.values), "errors": dict(metrics.errors)},
        }
        cost["ranking seconds"] = round(time.monotonic() - begun, 3)
    if trained.interrupted:
        about["finished early"] = {"epochs": len(trained.history), "of": last_epoch(settings.train)}
    about |= {
        "best epoch": trained.best_epoch,
        "seconds": round(trained.seconds, 3),
        "cost": cost,
        "history": trained.history,
    }
    log = split.log
    artifact.save(
        folder,
        trained.model,
        log.item_ids,
        to_plain(settings),
        titles=log.titles() if log.item_table is not None and "title" in log.item_table else None,
        item_table=log.item_table,
        record=record,
        about=about,
        keep=KEPT,
        overwrite=True,
    )
    return Outcome(folder, settings, trained, ledger, metrics, learns)


@contextlib.contextmanager
def _full_disk_said(folder: Path) -> Iterator[None]:
    """A full disk is told as one, with how to go on; the checkpoint's writer has an error class of its own."""
    try:
        yield
    except (DataError, ConfigError, ArtifactError, Stopped):
        raise
    except Exception as error:
        if "disk is full" not in artifact.reason(error):
            raise
        left = f"; then: recollect train --resume {folder}" if (folder / CHECKPOINT).is_file() else ""
        raise ArtifactError(f"{folder}: {artifact.reason(error)}{left}") from None


def _cost(trained: Trained) -> dict[str, Any]:
    """What it took, and where: seconds and bytes mean little without the machine."""
    model = trained.model
    learnt = model.parameters() if isinstance(model, Network) else model.tensors().values()
    place = model.device if isinstance(model, Network) else torch.device("cpu")
    cuda = place.type == "cuda"
    return {
        "parameters": sum(tensor.numel() for tensor in learnt),
        "peak bytes": trained.peak_bytes,
        **({"accelerator bytes": torch.cuda.max_memory_allocated(place)} if cuda else {}),
        "device": torch.cuda.get_device_name(place) if cuda else place.type,
        "threads": torch.get_num_threads(),
    }


def remarks(split: Split) -> Iterator[str]:
    """What was made of the data and what was left out, before anything is learnt from it."""
    yield from split.log.remarks()
    yield from (f"{what}: {count:,}" for what, count in split.notes.items() if count)
    if split.log.clock and (rows := summary.duplicate_rows(split.log)):
        yield f"duplicates: {summary.kept_duplicates(rows)} (data.filters.duplicates=drop-exact leaves them out)"
    if said := baskets.remark(split.log, split.test):
        yield said


def placed(settings: RunSettings) -> RunSettings:
    """With the whole path of the source or of the data folder, so that the run can be used from anywhere."""
    for section, fields in (("train", ("start_from", "init_items")), ("data", ("items", "users"))):
        part = getattr(settings, section)
        paths = {name: path for name in fields if (path := getattr(part, name)) is not None}
        whole = {name: os.path.abspath(os.path.expanduser(path)) for name, path in paths.items()}
        settings = settings.model_copy(update={section: part.model_copy(update=whole)})
    source = settings.data.source
    if is_simulated(source):
        return settings
    if is_place(source):
        whole = {"source": os.path.abspath(os.path.expanduser(source))}
    else:  # a name, or a folder in the data folder
        whole = {"data_dir": os.path.abspath(settings.data.data_dir or os.environ.get(DATA_DIR) or "data")}
    return settings.model_copy(update={"data": settings.data.model_copy(update=whole)})


class Recorded:
    """Passes everything on, and keeps one line an epoch in a file: the tracker that is always there."""

    def __init__(self, inner: Reporter, path: Path) -> None:
        self.inner, self.path = inner, path

    def note(self, text: str) -> None:
        self.inner.note(text)

    def resumed(self, progress: Any) -> None:
        """An epoch that ended after the last checkpoint will end again: keep what the checkpoint knows."""
        lines = (json.dumps(row) + "\n" for row in progress.history)
        self.path.write_text("".join(lines), encoding="utf-8")
        self.inner.resumed(progress)

    def step(self, progress: Any, steps: int) -> None:
        self.inner.step(progress, steps)

    def epoch(self, progress: Any, row: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row)) + "\n")
        self.inner.epoch(progress, row)
