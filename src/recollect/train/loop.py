"""The training loop: epochs of steps with the state carried, validation after each, a checkpoint in between.

Short and ours, because carrying state, token budgets and exact resume are what this project is about. Fabric gives it
device and precision. Epoch plans and learning rates are functions of the step number, so nothing but what
`checkpoint` saves is needed to go on.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recollect.config import ConfigError
from recollect.contracts import Carried, Cloze, Histories, Network, State, Window
from recollect.data.batches import Step, build, plan_carried, plan_prefixes, plan_windows, token_budget
from recollect.data.log import DataError
from recollect.train import checkpoint
from recollect.train.average import Average
from recollect.train.checkpoint import Progress
from recollect.train.device import check_device, cuda_devices
from recollect.train.forecast import Forecast
from recollect.train.known import Known
from recollect.train.memory import bound_prepared_products
from recollect.train.objective import Objective, Sealed
from recollect.train.precision import precision_of
from recollect.train.progress import Reporter
from recollect.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Validate = Callable[[Network], dict[str, float]]
"""The figures of a validation; `ndcg@10` decides."""


class Interrupted(Exception):
    """Training was stopped by Ctrl-C or a termination signal.

    The checkpoint is written, and the best validated weights so far are in the model (without any, the latest).
    """

    def __init__(self, by: int, progress: Progress) -> None:
        super().__init__(f"training was stopped by {signal.Signals(by).name}")
        self.by, self.progress = by, progress


def train(
    model: Network,
    histories: Histories,
    settings: TrainSettings,
    validate: Validate | None,
    report: Reporter,
    *,
    clock: bool = True,
    save_to: Path | None = None,
    resume: bool = False,
    identity: dict[str, Any] | None = None,
) -> Progress:
    """Train in place and leave the best validated weights in the model -> what happened, epoch by epoch.

    `validate` None: nothing is held out, every epoch is run and the last weights stay. `clock`: False where the
    histories' times are no times; the model is shown none then. `save_to`: the checkpoint; one that is there
    already is gone on with (`resume`) or refused, never overwritten.
    """
    if save_to is not None and not resume and save_to.exists():
        raise ConfigError(
            f"{save_to}: the checkpoint of another run is there; go on with it (resume), or choose another folder"
        )
    from lightning_fabric import Fabric  # as slow to import as torch, and whoever answers or counts imports this file

    bound_prepared_products()
    check_device(settings)
    # Fabric tells the precision at every set-up; the settings say it already.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = settings.accelerator.partition(":")[0]
    fabric = Fabric(accelerator=kind, devices=cuda_devices(settings), precision=precision_of(settings))
    objective = Objective(model, settings.loss)
    optimizer = make_optimizer(model, settings)
    wrapped, optimizer_ = fabric.setup(objective, optimizer)
    average = Average(model, settings.average) if settings.average else None
    progress, best, carried = Progress(), dict[str, Tensor](), dict[int, State]()
    if resume and save_to is not None and not save_to.is_file():
        report.note(f"{save_to} does not exist (no checkpoint was written yet): starting from the beginning")
    elif resume and save_to is not None:
        progress, best, carried = checkpoint.load(save_to, model, optimizer, identity or {}, average)
        carried = {group: state.to(fabric.device) for group, state in carried.items()}
        report.resumed(progress)
    lengths = np.diff(histories.offsets)
    if lengths.max(initial=0) < 2:
        raise DataError("no user has two training events, so there is nothing to learn from; use more data")
    budget = token_budget(lengths, settings.batches)
    known = Known.of(model, histories, settings.loss, clock=clock, context=settings.batches.context)
    forecast = Forecast(settings, model.catalog.size - 1, budget, int(lengths.max()))

    def save() -> None:
        if save_to is not None:
            checkpoint.save(save_to, progress, model, optimizer, best, carried, identity or {}, average)

    def end() -> Progress:
        if best:
            model.load_state_dict(best)
        elif average is not None:
            model.load_state_dict(average.state(), strict=False)
        model.eval()
        return progress

    saved = started = time.monotonic() - progress.seconds
    with _stop_signals() as stopped:
        while not _finished(progress, settings, validated=validate is not None):
            steps = plan(model, lengths, settings, progress.epoch)
            total = settings.epochs * len(steps)
            full = max(len(step.rows) for step in steps) if steps[0].ends_only else budget
            model.train()
            for step in steps[progress.step :]:
                begun = time.monotonic()
                _set_rate(optimizer, settings, progress.steps_done, total)
                batch = _batch(histories, step, clock, known)
                loss, targets = _one_step(fabric, wrapped, optimizer_, batch, step, carried, settings.clip, full)
                progress.step += 1
                progress.steps_done += 1
                if average is not None:
                    average.step(progress.steps_done)
                progress.epoch_loss += loss * targets
                progress.epoch_targets += targets
                took = time.monotonic() - begun
                progress.epoch_seconds += took
                progress.seconds = time.monotonic() - started
                report.step(progress, len(steps))
                if said := forecast.step(took, last_epoch(settings) * len(steps) - progress.steps_done, len(steps)):
                    report.note(said)
                late = time.monotonic() - saved >= 60 * settings.checkpoint_minutes
                stop = stopped()  # asked once: a signal between saving and raising would lose the checkpoint
                if stop or late:
                    save()
                    saved = time.monotonic()
                if stop:
                    raise Interrupted(stop, end())
            with (
                fabric.autocast(),
                average.applied() if average else contextlib.nullcontext(),
            ):  # validation in the precision of training; scores are ranked in fp32
                _end_epoch(model, progress, settings, validate, best, report)
            progress.seconds = time.monotonic() - started
            stop = stopped()
            save()
            saved = time.monotonic()
            if stop:
                raise Interrupted(stop, end())
    return end()


def plan(model: Network, lengths: np.ndarray, settings: TrainSettings, epoch: int) -> list[Step]:
    """The steps of one epoch, by the kind of model."""
    if isinstance(model, Carried):
        return plan_carried(lengths, settings.batches, settings.seed, epoch)
    assert isinstance(model, Window)
    cut = plan_windows if model.causal or isinstance(model, Cloze) else plan_prefixes
    return cut(lengths, model.window, settings.batches, settings.seed, epoch)


def make_optimizer(model: Network, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW; weight decay on what multiplies, other than the item table."""
    table = model.item_vectors()
    decayed, spared = list[Tensor](), list[Tensor]()
    for name, parameter in model.named_parameters():
        # A bias a head or a rate in logarithms has two axes and is no matrix: pulled to 0 it means something else.
        multiplies = parameter.ndim >= 2 and not name.endswith(("bias", "_log"))
        (decayed if multiplies and parameter is not table else spared).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)


def rate_at(settings: TrainSettings, step: int, total: int) -> float:
    """Linear warm-up, then a cosine fall to `final_rate` of the peak."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    done = min(1.0, (step - settings.warmup) / max(1, total - settings.warmup))
    low = settings.final_rate
    return settings.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * done)))


def _batch(histories: Histories, step: Step, clock: bool, known: Known) -> dict[str, Tensor | None]:
    """What the objective reads, as a plain mapping."""
    events, targets, weights = build(histories, step)
    times = events.times if clock else None
    return {
        "items": events.items,
        "lengths": events.lengths,
        "times": times,
        "targets": targets,
        "weights": weights,
        **known.of_step(step, targets),
    }


def _one_step(
    fabric: Fabric,
    objective: Any,
    optimizer: Any,
    batch: dict[str, Tensor | None],
    step: Step,
    carried: dict[int, State],
    clip: float,
    full: int,
) -> tuple[float, int]:
    """-> mean loss and number of targets; `full`: those of a full batch."""
    state = None if step.opens else carried.pop(step.group)
    loss, figures, after = objective(fabric.to_device(batch), None if state is None else Sealed(state))
    optimizer.zero_grad(set_to_none=True)
    # Every event of an epoch weighs what it says, also those of the small batches that end the longest histories.
    targets, weights = batch["targets"], batch["weights"]
    assert targets is not None
    count = int(targets.sum())
    weight = float(count) if weights is None else float(weights[targets].sum())
    fabric.backward(loss * (weight / full))
    norm = fabric.clip_gradients(objective, optimizer, max_norm=clip, error_if_nonfinite=False)
    assert norm is not None
    # One wait for the device a step, and before anything reaches the weights, and with them a checkpoint.
    mean, whole, length = torch.stack([figures["loss"], loss.detach(), norm]).tolist()
    _finite(whole, "loss")
    _finite(length, "gradient")
    optimizer.step()
    if after is not None and not step.closes:
        carried[step.group] = after.state
    return mean, count


def _finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise DataError(
            f"the {what} became {value}; the last checkpoint is from before. "
            "Train with a smaller train.learning_rate or train.precision=32"
        )


def _end_epoch(
    model: Network,
    progress: Progress,
    settings: TrainSettings,
    validate: Validate | None,
    best: dict[str, Tensor],
    report: Reporter,
) -> None:
    progress.epoch += 1
    row: dict[str, Any] = {
        "epoch": progress.epoch,
        "loss": progress.epoch_loss / max(1, progress.epoch_targets),
        "targets": progress.epoch_targets,
        "train_seconds": progress.epoch_seconds,
    }
    due = progress.epoch % settings.validate_every == 0 or progress.epoch == last_epoch(settings)
    if validate is not None and due:
        begun = time.monotonic()
        row |= validate(model)
        row["validate_seconds"] = time.monotonic() - begun
        if row["ndcg@10"] > progress.best:
            progress.best, progress.best_epoch = row["ndcg@10"], progress.epoch
            best.clear()
            best.update({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    progress.history.append(row)
    progress.step, progress.epoch_loss, progress.epoch_targets, progress.epoch_seconds = 0, 0.0, 0, 0.0
    report.epoch(progress, row)


def last_epoch(settings: TrainSettings) -> int:
    """The number of the epoch after which training ends at the latest."""
    return min(settings.epochs, settings.stop_after or settings.epochs)


def _finished(progress: Progress, settings: TrainSettings, *, validated: bool) -> bool:
    if progress.step:
        return False
    out_of_time = settings.minutes is not None and progress.seconds >= 60 * settings.minutes
    since_best = (progress.epoch - progress.best_epoch) // settings.validate_every
    out_of_patience = validated and progress.epoch > 0 and since_best >= settings.patience
    return progress.epoch >= last_epoch(settings) or out_of_time or out_of_patience


def _set_rate(optimizer: torch.optim.Optimizer, settings: TrainSettings, step: int, total: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate_at(settings, step, total)


@contextlib.contextmanager
def _stop_signals() -> Iterator[Callable[[], int]]:
    """Ctrl-C and SIGTERM end the step under way, not the process; a second one does. Yields: which came, 0 for none."""
    asked = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = number
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread: signals are the caller's business
        pass
    try:
        yield lambda: asked
    finally:
        for taken, handler in previous.items():
            signal.signal(taken, handler)
