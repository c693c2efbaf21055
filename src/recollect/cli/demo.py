"""`recollect demo`: the whole path on a simulated log, so that a newcomer sees what comes out before reading."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recollect.cli.output import print_json, prose, table
from recollect.train.progress import Console, clock

if TYPE_CHECKING:
    from recollect.study.demo import Demonstration
    from recollect.train.checkpoint import Progress


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Where the trained model is kept.", show_default="runs/demo-<date>")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON for a program to read.")] = False,
) -> None:
    """Simulate a log, train four models on it, compare them with the best possible, and recommend for one user.

    Takes a minute or two on one processor and needs no data. The simulated log has tastes that last, sessions, popular
    items and repeats, and the best score anybody could reach on it is known. Ctrl-C ends it and shows what there is.
    """
    import torch

    from recollect.study import demo as study

    if "OMP_NUM_THREADS" not in os.environ:
        # Its batches are small: a second thread waits more than it works, and for minutes where others work too.
        torch.set_num_threads(1)
    report = Whole(study.EFFORT, study.EPOCHS)
    result = study.run_demo(out, report, begin=report.begin)
    report.close()
    if json:
        print_json(
            {
                "folder": str(result.folder),
                "rows": [row.plain() for row in result.rows],
                "comparison": result.comparison,
                "protocol": result.protocol_line,
            }
        )
    else:
        show_figures(result)
        if result.trained is not None:
            show_list(result)
    if result.stopped is not None:
        raise result.stopped


class Whole(Console):
    """One bar over all that is trained. `effort`: the share of the time that each model takes, which is about known.

    The model under way tells its own speed; those to come are taken to go as those before went.
    """

    def __init__(self, effort: Mapping[str, float], epochs: int) -> None:
        super().__init__(epochs)
        self.effort = effort
        self.started = time.monotonic()
        self.name = ""
        self.before: list[str] = []

    def begin(self, name: str) -> None:
        """A model is about to be trained."""
        if self.name:
            self.before.append(self.name)
        self.name = name

    def step(self, progress: Progress, steps: int) -> None:
        if not self.bar.disable:
            done, left = self.ahead(progress, steps, time.monotonic() - self.started)
            text = f"{self.name}, epoch {progress.epoch + 1}/{self.epochs}  about {clock(left)} left of the demo"
            self.show(done, sum(self.effort.values()), text)

    def ahead(self, progress: Progress, steps: int, elapsed: float) -> tuple[float, float]:
        """-> effort done of all there is, and seconds to come, `elapsed` seconds after the beginning."""
        part = (progress.epoch * steps + progress.step) / ((self.epochs or 1) * steps)
        own = self.effort.get(self.name, 0.0)
        done = sum(self.effort.get(name, 0.0) for name in self.before) + own * part
        to_come = sum(self.effort.values()) - done - own * (1 - part)
        return done, progress.seconds * (1 - part) / max(part, 1e-9) + elapsed / max(done, 1e-9) * to_come


def show_figures(result: Demonstration) -> None:
    """The table of all models, how it was measured, and whether the difference is more than luck."""
    from recollect.data.summary import summarise
    from recollect.evaluate.metrics import figure

    facts = summarise(result.log)
    typer.echo()
    prose(
        f"A simulated log of {facts.users:,} users, {facts.items:,} items and {facts.events:,} events. The question: "
        "what does each user choose last, given all they chose before?"
    )
    columns = [("model", "left"), ("HR@10", "right"), ("NDCG@10", "right"), ("of best", "right"), ("seconds", "right")]
    rows = [
        [
            row.name,
            row.metrics.text("hr@10"),
            row.metrics.text("ndcg@10"),
            f"{row.share:.0%}",
            "" if row.seconds is None else f"{row.seconds:.1f}",
        ]
        for row in result.rows
    ]
    table(columns, rows, "Test, mean ± standard error over users")
    typer.echo(result.protocol_line)
    one = result.comparison
    if one is None:
        prose("Stopped before the last model was there; the table holds those that were.")
        return
    verdict = "better" if one.low > 0 else "not shown to be better"
    kept = (
        f" with this training of {' and '.join(one.leaves_out)}; another is not in the interval"
        if one.leaves_out
        else ""
    )
    prose(
        f"{one.run} minus {one.baseline}, NDCG@10: {figure(one.difference)}, paired 95 % interval "
        f"[{figure(one.low)}, {figure(one.high)}] over {one.users:,} users: {verdict}{kept}."
    )
    typer.echo()


def show_list(result: Demonstration) -> None:
    """One user's history and what comes next, and commands to go on with."""
    from recollect.cli.recommend import show_answer, show_history
    from recollect.cli.train import short
    from recollect.recommend import recommend

    log, trained = result.log, result.trained
    assert trained is not None
    first, last = log.offsets[result.user : result.user + 2]
    past, name = log.item_ids.decode(log.items[first:last]).tolist(), log.user_ids.decode(result.user)
    show_history(trained, past, f"History of user {name}")
    times = [log.times[first:last].tolist()]
    (answer,) = recommend(trained.model, trained.items, [past], times=times, titles=trained.titles, seen="allowed")
    show_answer(answer, f"Next for user {name} by {trained.name} (items they had are allowed)")
    folder = short(result.folder)
    typer.echo(f"The trained {trained.name} lies in {folder}. Try next:")
    typer.echo(f"  recollect recommend {folder} --user {log.user_ids.decode(result.user + 1)} -k 5")
    series = "; ".join(str(title) for title in trained.titles[1:3])
    typer.echo(f'  recollect recommend {folder} --history "{series}"')
    typer.echo(f"  recollect evaluate {folder} --on validation")
    store = short(result.folder.with_name(f"{result.folder.name}-store"))
    typer.echo(f"  recollect replay {folder} --store {store}")
    typer.echo(f"  recollect serve {folder} --store {store}    # and open http://127.0.0.1:8000")
    typer.echo("  recollect train xlstm-lsr --data YOUR.csv --user USER --item ITEM --time TIME")
