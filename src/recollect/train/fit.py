"""The one verb of training: a model, by name or by hand, and a log or a split of it -> the model, trained.

Counting models are fitted in one pass; networks are trained by the loop, with early stopping on validation NDCG@10.
"""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recollect.artifact import load
from recollect.config import ConfigError, Settings, decode, one_of, plain
from recollect.contracts import Counting, Network, Recommender
from recollect.data.batches import token_budget
from recollect.data.histories import Split, Targets
from recollect.data.log import EventLog
from recollect.data.seen import Seen
from recollect.data.splits import loo
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.evaluate.settings import EvaluateSettings
from recollect.losses.choice import refuse_one_for_all
from recollect.train.checkpoint import Progress, load_best
from recollect.train.choice import Model, chosen, vectors_apart
from recollect.train.device import check_device, device_of, on_cuda, refuse_several_processes
from recollect.train.item_vectors import init_items
from recollect.train.learnt import refuse_learnt_targets
from recollect.train.loop import Interrupted, train
from recollect.train.memory import estimate_bytes, human_bytes, peak_bytes
from recollect.train.older import start_from
from recollect.train.precision import SAID, precision_of, prepares_products
from recollect.train.progress import Reporter, default_reporter
from recollect.train.settings import INIT_ITEMS, TrainSettings
from recollect.train.trained import Trained

CHECKPOINT = "checkpoint.safetensors"


def fit(
    name: Model,
    data: EventLog | Split,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    *,
    model: Mapping[str, Any] | Settings | None = None,
    seen: Seen = "hidden",
    request_time: bool = False,
    history: int | None = None,
    folder: Path | None = None,
    resume: bool = False,
    report: Reporter | None = None,
) -> Trained:
    """Train a model on a split (a log is split by `loo`; one that holds nothing out is trained to its last epoch).

    `name`: the model, as its name (`"sasrec"`), its class, or its Config. `model`: the model's own settings, by name
    (`init_items` among them means `train.init_items`, as on the command line).
    `seen`: how validation treats items the user already has; allowed for data with repeats. `request_time`: whether
    validation gives it to a model that can use it. `history`: of how many of the last events before a target the model
    may know in validation (all where None). `folder`: where the checkpoint goes; with `resume` a run is taken up from
    there. `report`: who is told how it goes; by default it is printed, `Silent()` prints nothing.

    Ctrl-C ends the step under way. With a `folder` that raises `Interrupted`, and the checkpoint is there; without one
    the model comes back as good as it has become, `interrupted` and with a warning. A second Ctrl-C ends at once.
    """
    one_of("seen", seen, Seen)
    refuse_several_processes()
    split = data if isinstance(data, Split) else loo(data)
    settings = (
        decode(TrainSettings, settings or {}, where="train") if not isinstance(settings, TrainSettings) else settings
    )
    model, vectors = vectors_apart(name, model)
    if vectors is not None:
        settings = decode(TrainSettings, {**plain(settings), INIT_ITEMS: str(vectors)}, where="train")
    name, kind, config = chosen(name, model)
    check_device(settings)
    report = report or default_reporter(settings.epochs)
    torch.manual_seed(settings.seed)
    built: Recommender = kind(config, split.catalog)  # type: ignore[call-arg]
    if split.log.weights is not None and not built.weighs:
        report.note(f"{name} counts every event alike: the weights of kinds of events change nothing in it")
    asked = EvaluateSettings(seen=seen, request_time="used" if request_time else "unused", history=history)
    about = {"split": split, "seen": seen, "settings": _settings(name, config, settings, asked)}
    begun = time.monotonic()
    if isinstance(built, Counting):
        for line in _without_table(name, settings):
            report.note(line)
        built.fit(split.train)
        seconds = time.monotonic() - begun
        report.note(f"{name}: fitted on {len(split.train.items):,} events in {seconds:.1f} s")
        return _trained(name, built, Progress(seconds=seconds), about)
    assert isinstance(built, Network)
    refuse_one_for_all(settings.loss)
    tokens = token_budget(split.train.lengths, settings.batches)
    device_type = "cuda" if on_cuda(settings) else "cpu"
    estimated = estimate_bytes(built, tokens, prepared=prepares_products(settings), device_type=device_type)
    report.note(
        f"{name}: {sum(p.numel() for p in built.parameters()):,} parameters; "
        f"about {human_bytes(estimated)} of memory beyond what is in use now; "
        f"batches of {tokens:,} events at most, padding included; {SAID[precision_of(settings)]}"
    )
    if built.request_time and not request_time:
        report.note(f"{name} learns with the request time and is validated without it (evaluate.request_time=unused)")
    path = None if folder is None else folder / CHECKPOINT
    if not (resume and path is not None and path.is_file()):  # else the checkpoint says what the weights are
        for line in _start(built, name, split, settings):
            report.note(line)
    try:
        progress = train(
            built,
            split.train,
            settings.model_copy(update={"loss": settings.loss.asked(seen)}),
            _validation(name, split, settings, asked),
            report,
            clock=split.log.clock,
            save_to=path,
            resume=resume,
            identity=identity(name, config, settings, split, asked),
        )
    except Interrupted as stop:
        if path is not None or stop.by != signal.SIGINT:
            raise
        warnings.warn(_left_with(name, stop.progress.best_epoch, stop.progress.epoch), stacklevel=2)
        return _trained(name, built, stop.progress, about, interrupted=True)
    return _trained(name, built, progress, about)


def best_so_far(
    name: Model,
    fields: Mapping[str, Any],
    split: Split,
    settings: TrainSettings,
    asked: EvaluateSettings,
    folder: Path,
) -> Trained:
    """The best validated epoch of an interrupted run, from its checkpoint. Raises ConfigError where there is none."""
    name, kind, config = chosen(name, fields)
    path = folder / CHECKPOINT
    if not path.is_file():
        raise ConfigError(f"{folder}: no checkpoint was written yet, so there is nothing to keep; start it again")
    progress, weights = load_best(path, identity(name, config, settings, split, asked))
    if not weights:
        raise ConfigError(
            f"{folder}: no epoch of it has been validated yet, so there is no best one; go on with it: "
            f"recollect train --resume {folder}"
        )
    built: Recommender = kind(config, split.catalog)  # type: ignore[call-arg]
    built.restore(weights)
    if isinstance(built, Network):
        built.to(device_of(settings)).eval()
    about = {"split": split, "seen": asked.seen, "settings": _settings(name, config, settings, asked)}
    return _trained(name, built, progress, about, interrupted=True)


def _trained(
    name: str, built: Recommender, place: Progress, about: Mapping[str, Any], *, interrupted: bool = False
) -> Trained:
    went = place.seconds, peak_bytes(), place.history, place.best_epoch, interrupted
    return Trained(name, built, *went, **about)


def _settings(
    name: str, config: Settings, settings: TrainSettings, asked: EvaluateSettings
) -> dict[str, dict[str, Any]]:
    """[model], [train] and [evaluate] as run.toml holds them."""
    return {"model": {"name": name, **plain(config)}, "train": plain(settings), "evaluate": plain(asked)}


def identity(
    name: str, config: Settings, settings: TrainSettings, split: Split, asked: EvaluateSettings
) -> dict[str, Any]:
    """What a run must share with its checkpoint to be taken up from it."""
    return {
        "model": {"name": name, **plain(config)},
        "training settings": plain(settings),
        "data": split.log.digest,
        "split": split.protocol,
        "seen filter": asked.seen,
        "history asked": asked.history,
    }


def _validation(
    name: str, split: Split, settings: TrainSettings, asked: EvaluateSettings
) -> Callable[[Network], dict[str, float]] | None:
    """What measures an epoch; None where nothing is held out."""
    if len(split.validation) == 0:
        return None
    targets = _some(split.validation, settings)

    def validate(network: Network) -> dict[str, float]:
        ledger = rank(
            network,
            split.log,
            targets,
            seen=asked.seen,
            request_time=asked.tells_time,
            last=asked.history,
            run=name,
        )
        metrics = measure(ledger, ["hr@10", "ndcg@10"])
        return {"hr@10": metrics["hr@10"], "ndcg@10": metrics["ndcg@10"]}

    return validate


def _start(built: Network, name: str, split: Split, settings: TrainSettings) -> Iterator[str]:
    """The weights of the older run, which has learnt what its items are; given vectors for the items that it lacks."""
    items = split.log.item_ids
    older = None if settings.start_from is None else load(settings.start_from)
    if older is not None:
        yield from start_from(built, name, items, older)
        yield from refuse_learnt_targets(older, split)
    if settings.init_items is not None:
        known = None if older is None else older.items
        yield from init_items(built, items, settings.init_items, older=known)


def _without_table(name: str, settings: TrainSettings) -> Iterator[str]:
    """What a counting model makes of settings that are about weights."""
    if settings.start_from is not None:
        raise ConfigError(f"{name} is fitted in one pass over the log, so there are no older weights to start from")
    if settings.init_items is not None:
        yield f"{name} has no item table, so train.init_items is not used"


def _left_with(name: str, best: int, epochs: int) -> str:
    if best:
        return f"interrupted: {name} has the weights of epoch {best}, the best of {epochs} so far"
    return f"interrupted before any validation: {name} has the weights of the last step, and nobody knows how good"


def _some(targets: Targets, settings: TrainSettings) -> Targets:
    """All targets, or those of `validation_users` users drawn by seed."""
    users = np.unique(targets.users)
    if settings.validation_users is None or settings.validation_users >= len(users):
        return targets
    chosen = np.random.default_rng(settings.seed).choice(users, settings.validation_users, replace=False)
    keep = np.isin(targets.users, chosen)
    return Targets(targets.users[keep], targets.positions[keep], targets.split)
