"""A small log whose histories need several segments, settings to match, and a run of it as a process to be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recollect.config import decode
from recollect.data.log import EventLog, build_log
from recollect.train.fit import fit
from recollect.train.progress import Reporter, Silent
from recollect.train.settings import TrainSettings
from recollect.train.trained import Trained

SMALL: dict[str, dict[str, Any]] = {
    "gru4rec": {"width": 8, "hidden": 8},
    "sasrec": {"width": 8, "window": 10},
    "mlstm4rec": {"width": 8, "mlstm": {"heads": 2}},
    "bilstm4rec": {"width": 8, "hidden": 8, "window": 10},
    "bert4rec": {"width": 8, "window": 10},
    "xlstm-lsr": {"width": 8, "recent": 4, "contrastive": 0.1, "mlstm": {"heads": 2}, "slstm": {"heads": 2}},
}


def log(users: int = 40, items: int = 30, seed: int = 0) -> EventLog:
    """Every user walks along the items with a step of their own: easy to learn. Lengths 3 to 60."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(3, 60, users)
    walks = [(start + np.arange(n) * stride) % items for n, start, stride in zip(
        lengths, draw.integers(0, items, users), draw.integers(1, 4, users), strict=True
    )]  # fmt: skip
    return build_log(np.repeat(np.arange(users), lengths), np.concatenate(walks), np.arange(lengths.sum()))


def settings(**changes: Any) -> TrainSettings:
    """Two epochs in segments of 8 events, about 20 steps each, at a fixed precision."""
    plain: dict[str, Any] = {
        "epochs": 2,
        "warmup": 3,
        "precision": "32",
        "accelerator": os.environ.get("RECOLLECT_TEST_DEVICE", "cpu"),
        "batches": {"tokens": 80, "segment": 8, "interleave": 3},
    }
    return decode(TrainSettings, plain | changes, where="train")


def run(name: str, folder: Path | None = None, report: Reporter | None = None, **changes: Any) -> Trained:
    """Train one of the small models on the log; `resume` is passed on, all else are training settings."""
    resume = bool(changes.pop("resume", False))
    told = report or Silent()
    return fit(
        name, log(), settings(**changes), model=SMALL[name], seen="allowed", folder=folder, resume=resume, report=told
    )


class Slow(Silent):
    """Gives whoever kills the process time to do it."""

    def step(self, place: Any, steps: int) -> None:
        time.sleep(0.03)


def weights(trained: Trained) -> Mapping[str, Any]:
    return trained.model.tensors()


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    run(sys.argv[1], Path(sys.argv[2]), Slow(), resume=True, checkpoint_minutes=0)
