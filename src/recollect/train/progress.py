"""What a training run shows while it runs: a bar with loss, events a second and time left, and a line an epoch.

On a terminal the bar moves; in a notebook it stands above a table of the epochs; elsewhere there are plain lines.
"""

from __future__ import annotations

import atexit
import html
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from recollect.train.checkpoint import Progress


class Reporter(Protocol):
    """Told of everything that happens in a run."""

    def note(self, text: str) -> None: ...
    def resumed(self, progress: Progress) -> None: ...
    def step(self, progress: Progress, steps: int) -> None: ...
    def epoch(self, progress: Progress, row: Mapping[str, Any]) -> None: ...


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None: ...
    def resumed(self, progress: Progress) -> None: ...
    def step(self, progress: Progress, steps: int) -> None: ...
    def epoch(self, progress: Progress, row: Mapping[str, Any]) -> None: ...


def default_reporter(epochs: int | None = None) -> Reporter:
    """What shows a run best where it is run; `epochs`: how many there are at most, if it is known."""
    return Notebook(epochs) if in_notebook() else Console(epochs)


def in_notebook() -> bool:
    """True where code runs in a kernel, whose display can be written anew (Jupyter, Colab, an editor's notebook)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Console:
    """A rich bar on a terminal; plain lines, one an epoch, where output goes to a file."""

    def __init__(self, epochs: int | None = None) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn

        self.console = RichConsole(file=sys.stderr, force_jupyter=False)
        self.epochs = epochs
        self.bar = Progress(
            BarColumn(),
            TextColumn("{task.description}"),
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

    def resumed(self, progress: Progress) -> None:
        self.note(f"going on from epoch {progress.epoch + 1}, step {progress.step + 1}")

    def step(self, progress: Progress, steps: int) -> None:
        if not self.bar.disable:
            self.show(progress.step, steps, at_step(progress, steps, self.epochs))

    def show(self, done: float, total: float, text: str) -> None:
        """Draw the bar, and `text` beside it."""
        if self.task is None:
            self.bar.start()
            self.task = self.bar.add_task("", total=total)
        self.bar.update(self.task, completed=done, total=total, description=text)

    def epoch(self, progress: Progress, row: Mapping[str, Any]) -> None:
        if self.task is not None:
            self.bar.stop()
            self.bar.remove_task(self.task)
            self.task = None
        rate = row["targets"] / max(1e-9, row["train_seconds"])
        best = "  best so far" if progress.best_epoch == progress.epoch else ""
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


class Notebook:
    """One display of a notebook, written anew as the run goes on: what was said, the epochs so far, and a bar."""

    SECONDS = 0.5
    """The least time between two pictures of the bar: a browser cannot draw each step."""

    def __init__(self, epochs: int | None = None) -> None:
        self.epochs = epochs
        self.notes: list[str] = []
        self.rows: list[Mapping[str, Any]] = []
        self.best = 0
        self.bar: tuple[int, int, str] | None = None
        self._display: Any = None
        self._shown = 0.0

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._show()

    def resumed(self, progress: Progress) -> None:
        self.rows = [*progress.history]
        self.best = progress.best_epoch
        self.note(f"going on from epoch {progress.epoch + 1}, step {progress.step + 1}")

    def step(self, progress: Progress, steps: int) -> None:
        self.bar = (progress.step, steps, at_step(progress, steps, self.epochs))
        if time.monotonic() - self._shown >= self.SECONDS:
            self._show()

    def epoch(self, progress: Progress, row: Mapping[str, Any]) -> None:
        self.rows.append(row)
        self.best, self.bar = progress.best_epoch, None
        self._show()

    def _show(self) -> None:
        from IPython.display import display  # there, since this is a notebook

        self._shown = time.monotonic()
        data = {"text/html": self.as_html(), "text/plain": self.as_text()}
        if self._display is None:
            self._display = display(data, raw=True, display_id=True)
        else:
            self._display.update(data, raw=True)

    def as_text(self) -> str:
        """For what shows no HTML."""
        bar = [self.bar[2]] if self.bar else []
        return "\n".join([*self.notes, *("  ".join(cells) for cells in self._table()), *bar])

    def as_html(self) -> str:
        """Nothing from outside, and every text escaped."""
        said = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        head, *rows = self._table()
        lines = ["".join(f"<th>{name}</th>" for name in head)]
        for row, cells in zip(self.rows, rows, strict=True):
            weight = " style='font-weight:bold'" if row["epoch"] == self.best else ""
            lines.append("".join(f"<td{weight}>{html.escape(cell)}</td>" for cell in cells))
        table = "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>" if rows else ""
        bar = ""
        if self.bar is not None:
            done, steps, text = self.bar
            bar = f"<div><progress value='{done}' max='{steps}'></progress> {html.escape(text)}</div>"
        return f"<div style='max-height:24em;overflow:auto'>{said}{table}</div>{bar}"

    def _table(self) -> list[list[str]]:
        cells = [["epoch", "loss", "seconds", "validation HR@10", "validation NDCG@10"]]
        for row in self.rows:
            checked = [f"{row[name]:.4f}" if name in row else "" for name in ("hr@10", "ndcg@10")]
            cells.append([str(row["epoch"]), f"{row['loss']:.4f}", f"{row['train_seconds']:.1f}", *checked])
        return cells


def at_step(progress: Progress, steps: int, epochs: int | None) -> str:
    """In words, after step `progress.step` of the `steps` of an epoch: what is going on, how fast, and how long still.

    The time left of the run is at most so much, since training may stop early. It is told from the second epoch on, as
    the time that the first ones took, validation included; before that nobody knows it.
    """
    loss = progress.epoch_loss / max(1, progress.epoch_targets)
    rate = progress.epoch_targets / max(1e-9, progress.epoch_seconds)
    epoch = f"epoch {progress.epoch + 1}" + (f"/{epochs}" if epochs else "")
    words = [epoch, f"loss {loss:.3f}", f"{rate:,.0f} events/s"]
    if progress.step:
        words.append(f"{clock(progress.epoch_seconds / progress.step * (steps - progress.step))} left of the epoch")
    if epochs and progress.epoch:
        done = progress.epoch * steps + progress.step
        words.append(f"at most {clock(progress.seconds / done * (epochs * steps - done))} of the run")
    return "  ".join(words)


def clock(seconds: float) -> str:
    """As `0:42` or `1:03:20`."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
