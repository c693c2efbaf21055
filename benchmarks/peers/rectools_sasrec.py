"""One epoch of RecTools' SASRec at a time, timed from inside: the peer of training_speed.py.

Runs in an environment of its own (`pip install "rectools[torch]" torch==2.13.0`), sees the events as a NumPy file and
nothing of Recollect. Settings are those of the comparison; everything else is RecTools' default. Each line it is sent
("epoch") is answered by one JSON line, so that runs can alternate with those of another process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rectools
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Times the training loop alone, from the first batch on; counts steps and real targets."""

    def on_train_epoch_start(self, trainer: Trainer, module: object) -> None:
        self.begun, self.targets, self.steps, self.loss = time.perf_counter(), 0, 0, 0.0

    def on_train_batch_end(self, trainer: Trainer, module: object, outputs: dict, batch: dict, index: int) -> None:
        self.targets += int((batch["y"] != 0).sum())
        self.steps += 1
        self.loss += float(outputs["loss"])

    def on_train_epoch_end(self, trainer: Trainer, module: object) -> None:
        self.seconds = time.perf_counter() - self.begun


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=Path, help=".npz with users, items and order, one entry an event")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128, help="sequences a batch (RecTools' default is 128)")
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(args.threads)
    with np.load(args.events) as columns:
        frame = pd.DataFrame(
            {
                Columns.User: columns["users"],
                Columns.Item: columns["items"],
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(columns["order"], unit="s"),
            }
        )
    dataset = Dataset.construct(frame)
    clock = Clock()

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=1,
            min_epochs=1,
            precision=args.precision,
            accelerator="cpu",
            devices=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            callbacks=[clock],
        )

    model = SASRecModel(
        n_blocks=args.blocks,
        n_heads=args.heads,
        n_factors=args.width,
        session_max_len=args.length,
        loss="softmax",
        batch_size=args.batch,
        epochs=1,
        get_trainer_func=trainer,
    )
    print(json.dumps({"rectools": rectools.__version__, "torch": torch.__version__}), flush=True)
    fitted = False
    for line in sys.stdin:
        if line.strip() != "epoch":
            break
        if fitted:
            model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        else:
            model.fit(dataset)
            fitted = True
        # the copy of the callback that ran is the trainer's own
        ran = next(c for c in model.fit_trainer.callbacks if isinstance(c, Clock))
        row = {"seconds": ran.seconds, "targets": ran.targets, "steps": ran.steps, "loss": ran.loss / ran.steps}
        print(json.dumps(row | {"peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
