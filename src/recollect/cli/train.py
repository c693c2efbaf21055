"""`recollect train`: a model from a log, kept in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.choices import RunData, RunSeen, Sets
from recollect.cli.output import print_json, printable
from recollect.cli.reading import with_reading

if TYPE_CHECKING:
    from recollect.study.run import Outcome


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
    finish: Annotated[Path | None, typer.Option(help="End an interrupted run: keep its best epoch as it is.")] = None,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", help="Start from the weights and settings of a trained run; items are matched by id."),
    ] = None,
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
    - `recollect train --from runs/first --data newer.csv --set train.epochs=5 --out runs/second`
    - `recollect train sasrec --data ratings.csv --set model.width=384 --set model.init_items=vectors.npz`
    - `recollect train --resume runs/first`
    """
    from recollect.config import ConfigError

    given: dict[str, object] = {
        "MODEL": model,
        "--data": data,
        "--config": config,
        "--set": sets,
        "--out": out,
        "--seen": seen,
        "--from": start_from,
        **{f"--{name.replace('_', '-')}": value for name, value in reading.items()},
    }
    for verb, folder in (("--resume", resume), ("--finish", finish)):
        said = [name for name, value in given.items() if value]
        if folder is not None and said:
            raise ConfigError(f"{verb} takes everything from the run's folder; leave out {', '.join(said)}")
    if resume is not None and finish is not None:
        raise ConfigError("--resume goes on with a run and --finish ends it; leave one of them out")
    if not (resume or finish or model or config or start_from):
        raise ConfigError("which model? Give its name, as in: recollect train xlstm-lsr --data ratings.csv")

    from recollect.study import run as study
    from recollect.study.settings import compose
    from recollect.train.progress import Console

    if resume is not None:
        outcome = study.resume(resume, report=Console())
    elif finish is not None:
        outcome = study.finish(finish, report=Console())
    else:
        values = {"data": {**reading, "source": data}, "evaluate": {"seen": seen}}
        settings = compose(config, values, sets or [], name=model, start_from=start_from)
        outcome = study.run(settings, out, report=Console(epochs=settings.train.epochs))
    show(outcome, json)


def show(outcome: Outcome, json: bool) -> None:
    """What a run gave, and what can be done with it next."""
    from recollect.train.memory import human_bytes

    trained, metrics, learnt = outcome.trained, outcome.metrics, outcome.learnt
    if json:
        figures = None if metrics is None else {"values": metrics.values, "errors": metrics.errors}
        print_json(
            {
                "folder": str(outcome.folder),
                "model": trained.name,
                "seconds": trained.seconds,
                "peak_bytes": trained.peak_bytes,
                "best_epoch": trained.best_epoch,
                "learnt": learnt,
                "validation": figures,
                "protocol": outcome.protocol_line,
                "history": trained.history,
            }
        )
        return
    folder = short(outcome.folder)
    best = f", best epoch {trained.best_epoch} of {len(trained.history)}" if trained.best_epoch else ""
    typer.echo(f"{trained.name}: {trained.seconds:.1f} s{best}, peak memory {human_bytes(trained.peak_bytes)}")
    if metrics is not None:
        typer.echo(f"validation  HR@10 {metrics.text('hr@10')}  NDCG@10 {metrics.text('ndcg@10')}")
        if metrics.misses:
            typer.echo(
                f"{metrics.misses / metrics.targets:.1%} of the targets were seen before and count as misses; "
                "where people come back to items, train with --seen allowed"
            )
        typer.echo(outcome.protocol_line)
        typer.echo(
            f"The kept model has never seen {learnt['held out']:,} of the {learnt['events'] + learnt['held out']:,} "
            "events: they are held out for validation and test."
        )
    else:
        typer.echo(f"It has learnt from all {learnt['events']:,} events, so it has no validation or test figure.")
    typer.echo(f"The model lies in {folder}. Next:")
    if metrics is not None:
        typer.echo(f"  recollect evaluate {folder}")
    typer.echo(f"  recollect recommend {folder} --user ID")
    if metrics is not None:
        typer.echo(f"  recollect refit {folder}   (once it is settled on: the same on every event)")


def short(folder: Path) -> str:
    """A folder as one would type it from here, in quotes where a shell needs them."""
    import contextlib
    import shlex

    with contextlib.suppress(ValueError):
        folder = folder.relative_to(Path.cwd())
    return shlex.quote(printable(str(folder), 1000))
