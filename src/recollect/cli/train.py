"""`recollect train`: a model from a log, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.choices import RunData, RunSeen, Sets
from recollect.cli.output import print_json, printable
from recollect.cli.reading import with_reading


@with_reading
def train(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The model's name; `recollect models` lists them.", show_default=False),
    ] = None,
    data: RunData = None,
    seen: RunSeen = None,
    config: Annotated[Path | None, typer.Option(help="A settings file, as run.toml of another run.")] = None,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the run is kept.", show_default="runs/<model>-<data>-<date>")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run, named by its folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON for a program to read.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Train a model on a log and keep it in a folder.

    The last event of each user is kept for testing and the one before for validation (another split:
    `--set split.protocol=temporal`). `recollect models xlstm-lsr` lists the settings of a model; they are set as
    `model.width=128`, those of training as `train.epochs=20`. Ctrl-C stops after the step under way and says how to
    go on.

    Examples:

    - `recollect train xlstm-lsr --data ratings.csv --user user --item item --time time --out runs/first`
    - `recollect train sasrec --data ml-1m --set model.width=128 --set train.epochs=20`
    - `recollect train --config runs/first/run.toml --set train.seed=1 --out runs/second`
    - `recollect train --resume runs/first`
    """
    from recollect.config import ConfigError

    if resume is not None:
        given: dict[str, object] = {
            "MODEL": model,
            "--data": data,
            "--config": config,
            "--set": sets,
            "--out": out,
            "--seen": seen,
            **{f"--{name.replace('_', '-')}": value for name, value in reading.items()},
        }
        said = [name for name, value in given.items() if value]
        if said:
            raise ConfigError(f"--resume takes everything from the run's folder; leave out {', '.join(said)}")
    elif model is None and config is None:
        raise ConfigError("which model? Give its name, as in: recollect train xlstm-lsr --data ratings.csv")

    from recollect.study import run as study
    from recollect.study.settings import compose
    from recollect.train.progress import Console

    if resume is not None:
        outcome = study.resume(resume, report=Console())
    else:
        settings = compose(
            config, {"data": {**reading, "source": data}, "evaluate": {"seen": seen}}, sets or [], name=model
        )
        outcome = study.run(settings, out, report=Console(epochs=settings.train.epochs))
    folder = short(outcome.folder)
    if json:
        print_json(
            {
                "folder": str(outcome.folder),
                "model": outcome.trained.name,
                "seconds": outcome.trained.seconds,
                "peak_bytes": outcome.trained.peak_bytes,
                "best_epoch": outcome.trained.best_epoch,
                "validation": {"values": outcome.metrics.values, "errors": outcome.metrics.errors},
                "protocol": outcome.protocol_line,
                "history": outcome.trained.history,
            }
        )
        return
    from recollect.train.memory import human_bytes

    trained, metrics = outcome.trained, outcome.metrics
    best = f", best epoch {trained.best_epoch} of {len(trained.history)}" if trained.history else ""
    typer.echo(f"{trained.name}: {trained.seconds:.1f} s{best}, peak memory {human_bytes(trained.peak_bytes)}")
    typer.echo(f"validation  HR@10 {metrics.text('hr@10')}  NDCG@10 {metrics.text('ndcg@10')}")
    if metrics.misses:
        typer.echo(
            f"{metrics.misses / metrics.questions:.1%} of the targets were seen before and count as misses; "
            "where people come back to items, train with --seen allowed"
        )
    typer.echo(outcome.protocol_line)
    typer.echo(f"The model lies in {folder}. Next:")
    typer.echo(f"  recollect evaluate {folder}")
    typer.echo(f"  recollect recommend {folder} --user ID")


def short(folder: Path) -> str:
    """A folder as one would type it from here, in quotes where a shell needs them."""
    import contextlib
    import shlex

    with contextlib.suppress(ValueError):
        folder = folder.relative_to(Path.cwd())
    return shlex.quote(printable(str(folder), 1000))
