"""`recollect data inspect`: what is in a log, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recollect.cli.choices import OnBad, Ties
from recollect.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="Look at a log.")


@app.callback()
def _data() -> None: ...


@app.command("inspect")
def inspect(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A file, glob (in quotes), folder, or a name such as `simulated`.")
    ],
    user: Annotated[str | None, typer.Option(help="The column of users.", show_default="guessed")] = None,
    item: Annotated[str | None, typer.Option(help="The column of items.", show_default="guessed")] = None,
    time: Annotated[
        str | None,
        typer.Option(help="The column of times; `none` takes the order of the rows.", show_default="guessed"),
    ] = None,
    on_bad: Annotated[
        OnBad, typer.Option(help="Rows that cannot be read: stop at the first, or skip and count them.")
    ] = OnBad.stop,
    ties: Annotated[Ties, typer.Option(help="What orders a user's events of one time.")] = Ties.file,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where logs are looked up by name.", show_default="RECOLLECT_DATA")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Show users, items, events, lengths, ties, repeats, the span of time, and what was dropped and why.

    Examples:

    - `recollect data inspect ratings.csv --user userId --item movieId --time timestamp`
    - `recollect data inspect "logs/2024-*.parquet" --on-bad skip`
    - `recollect data inspect ml-1m` (a folder in the data folder, RECOLLECT_DATA)
    """
    from recollect.data.sources import read
    from recollect.data.summary import summarise

    log = read(source, user=user, item=item, time=time, on_bad=on_bad.value, ties=ties.value, data_dir=data_dir)
    summary = summarise(log)
    if json:
        print_json(summary.as_dict())
        return
    for line in summary.lines():
        typer.echo(line)
