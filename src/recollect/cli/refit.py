"""`recollect refit`: the model of a run once more, on every event, for use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.reading import with_reading
from recollect.cli.train import show


@with_reading
def refit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained run.")],
    data: Annotated[
        str | None, typer.Option("--data", help="A newer log, read as the run's was.", show_default="the run's")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the new run is kept.", show_default="RUN-refit")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON for a program to read.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Train the model of a run again on every event, those that were held out too, and keep it for use.

    The settings are those of the run; a network is trained for as many epochs as validation found best. The new model
    has no validation or test figure of its own, and `evaluate` refuses to ask it what it has learnt. Interrupted, it
    goes on with `recollect train --resume`.

    The log is read as that of the run, with the options below laid over it: where a table of items lies now
    (`--items`), or what is to be done with rows that the older log had none of (`--on-bad skip`).

    Examples:

    - `recollect refit runs/first`
    - `recollect refit runs/first --data newer.csv --out runs/this-week`
    - `recollect refit runs/first --data exported.csv --time-format unix`
    """
    from recollect.study.refit import refit as study
    from recollect.train.progress import Console

    show(study(run, out, source=data, reading=reading, report=Console()), json)
