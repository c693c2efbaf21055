"""The one verb of training: a model, by name or by hand, and a log or a split of it -> the model, trained.

Counting models are fitted in one pass; networks are trained by the loop, with early stopping on validation NDCG@10.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recollect.config import decode, one_of, plain
from recollect.contracts import Counting, Network, Recommender
from recollect.data.batches import token_budget
from recollect.data.histories import Questions, Split
from recollect.data.log import EventLog
from recollect.data.seen import Seen
from recollect.data.splits import loo
from recollect.display import Display, Displayed
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.registry import model_class
from recollect.train.loop import on_cuda, prepares_products, train
from recollect.train.memory import estimate_bytes, human_bytes, peak_bytes
from recollect.train.progress import Reporter, Silent
from recollect.train.settings import TrainSettings

CHECKPOINT = "checkpoint.safetensors"


@dataclasses.dataclass(frozen=True, repr=False)
class Trained(Displayed):
    """What `fit` gives back: the model in evaluation mode, and how it went."""

    name: str
    model: Recommender
    seconds: float
    peak_bytes: int
    history: list[dict[str, Any]]
    """One row an epoch: loss, targets, seconds, validation figures. Empty for counting models."""
    best_epoch: int

    def _display(self) -> Display:
        learnt = sum(one.numel() for one in self.model.parameters()) if isinstance(self.model, Network) else 0
        facts = [
            ("model", self.name),
            *([("parameters", f"{learnt:,}")] if learnt else []),
            ("seconds", f"{self.seconds:,.1f}"),
            ("peak memory", human_bytes(self.peak_bytes)),
            *([("epochs", f"{len(self.history)}, the best {self.best_epoch}")] if self.history else []),
        ]
        return Display("Trained", facts)


def fit(
    name: str,
    data: EventLog | Split,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    *,
    model: Mapping[str, Any] | None = None,
    seen: Seen = "hidden",
    request_time: bool = False,
    folder: Path | None = None,
    resume: bool = False,
    report: Reporter | None = None,
) -> Trained:
    """Train the model called `name` on a split (a log is split by `loo`).

    `model`: the model's own settings, by name. `seen`: how validation treats items the user already has; allowed for
    data with repeats. `request_time`: whether validation tells a model that can use it when it is asked. `folder`:
    where the checkpoint goes; with `resume` a run is taken up from there.
    """
    one_of("seen", seen, Seen)
    split = loo(data) if isinstance(data, EventLog) else data
    settings = (
        decode(TrainSettings, settings or {}, where="train") if not isinstance(settings, TrainSettings) else settings
    )
    report = report or Silent()
    kind = model_class(name)
    config = decode(kind.Config, model or {}, where="model")
    torch.manual_seed(settings.seed)
    built: Recommender = kind(config, split.catalog)  # type: ignore[call-arg]
    begun = time.monotonic()
    if isinstance(built, Counting):
        built.fit(split.train)
        return Trained(name, built, time.monotonic() - begun, peak_bytes(), [], 0)
    assert isinstance(built, Network)
    tokens = token_budget(split.train.lengths, settings.batches)
    device_type = "cuda" if on_cuda(settings) else "cpu"
    estimated = estimate_bytes(built, tokens, prepared=prepares_products(settings), device_type=device_type)
    report.note(
        f"{name}: {sum(p.numel() for p in built.parameters()):,} parameters; "
        f"about {human_bytes(estimated)} of memory beyond what is in use now; "
        f"batches of {tokens:,} cells"
    )
    if built.request_time and not request_time:
        report.note(f"{name} learns with the time of asking and is validated without it (evaluate.request_time=unused)")
    asked = _some(split.validation, settings)

    def validate(network: Network) -> dict[str, float]:
        ledger = rank(network, split.log, asked, seen=seen, request_time=request_time, run=name, split=split.protocol)
        metrics = measure(ledger, ["hr@10", "ndcg@10"])
        return {"hr@10": metrics["hr@10"], "ndcg@10": metrics["ndcg@10"]}

    identity = {
        "model": {"name": name, **plain(config)},
        "training settings": plain(settings),
        "data": split.log.digest,
        "split": split.protocol,
        "seen filter": seen,
    }
    progress = train(
        built,
        split.train,
        settings,
        validate,
        report,
        clock=split.log.clock,
        save_to=None if folder is None else folder / CHECKPOINT,
        resume=resume,
        identity=identity,
    )
    return Trained(name, built, progress.seconds, peak_bytes(), progress.history, progress.best_epoch)


def _some(questions: Questions, settings: TrainSettings) -> Questions:
    """All questions, or those of `validation_users` users drawn by seed."""
    users = np.unique(questions.users)
    if settings.validation_users is None or settings.validation_users >= len(users):
        return questions
    chosen = np.random.default_rng(settings.seed).choice(users, settings.validation_users, replace=False)
    keep = np.isin(questions.users, chosen)
    return Questions(questions.users[keep], questions.positions[keep])
