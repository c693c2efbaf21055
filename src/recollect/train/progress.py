"""What a training run shows while it runs: a bar with loss, events a second and time left, and a line an epoch."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from recollect.train.checkpoint import Progress as Place


class Reporter(Protocol):
    """Told of everything that happens in a run."""

    def note(self, text: str) -> None: ...
    def resumed(self, place: Place) -> None: ...
    def step(self, place: Place, steps: int) -> None: ...
    def epoch(self, place: Place, row: Mapping[str, Any]) -> None: ...


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None: ...
    def resumed(self, place: Place) -> None: ...
    def step(self, place: Place, steps: int) -> None: ...
    def epoch(self, place: Place, row: Mapping[str, Any]) -> None: ...


class Console:
    """A rich bar on a terminal; plain lines, one an epoch, where output goes to a file."""

    def __init__(self, epochs: int | None = None) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = RichConsole(file=sys.stderr)
        self.epochs = epochs
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[rate]:,.0f} events/s"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task: Any = None
        atexit.register(self.close)  # an interrupted run ends with its bar on

    def close(self) -> None:
        """Take the bar away, which hides the cursor for as long as it is there."""
        if self.task is not None:
            self.bar.stop()

    def note(self, text: str) -> None:
        self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def resumed(self, place: Place) -> None:
        self.note(f"going on from epoch {place.epoch + 1}, step {place.step + 1}")

    def step(self, place: Place, steps: int) -> None:
        if self.bar.disable:
            return
        loss = place.epoch_loss / max(1, place.epoch_targets)
        rate = place.epoch_targets / max(1e-9, place.epoch_seconds)
        if self.task is None:
            self.bar.start()
            self.task = self.bar.add_task("", total=steps, epoch=place.epoch + 1, loss=loss, rate=rate)
        self.bar.update(self.task, completed=place.step, total=steps, epoch=place.epoch + 1, loss=loss, rate=rate)

    def epoch(self, place: Place, row: Mapping[str, Any]) -> None:
        if self.task is not None:
            self.bar.stop()
            self.bar.remove_task(self.task)
            self.task = None
        rate = row["targets"] / max(1e-9, row["train_seconds"])
        best = "  best so far" if place.best_epoch == place.epoch else ""
        checked = (
            f"  validation HR@10 {row['hr@10']:.4f}  NDCG@10 {row['ndcg@10']:.4f}"
            f" ({row['validate_seconds']:.1f} s){best}"
            if "ndcg@10" in row
            else ""
        )
        of = f"/{self.epochs}" if self.epochs else ""
        self.note(
            f"epoch {row['epoch']}{of}  loss {row['loss']:.4f}  {row['train_seconds']:.1f} s"
            f"  {rate:,.0f} events/s{checked}"
        )
