"""`recollect data inspect`: what is in a log, before anything is trained on it. `data formats`: what can be read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from recollect.cli.choices import SOURCE
from recollect.cli.output import print_json
from recollect.cli.reading import with_reading

app = typer.Typer(no_args_is_help=True, help="Look at a log.")


@app.callback()
def _data() -> None: ...


@app.command("inspect")
@with_reading
def inspect(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Show users, items, events, lengths, ties, repeats, the span of time, and what was dropped and why.

    Examples:

    - `recollect data inspect ratings.csv --user userId --item movieId --time timestamp`
    - `recollect data inspect "logs/2024-*.parquet" --on-bad skip`
    - `recollect data inspect ml-1m` (a folder in the data folder, RECOLLECT_DATA)
    """
    from recollect.data.sources import read
    from recollect.data.summary import summarise

    log = read(source, **reading)
    summary = summarise(log)
    if json:
        print_json(summary.as_dict())
        return
    for line in summary.lines():
        typer.echo(line)


@app.command("formats")
def formats(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """List the kinds of files that can be read, by the names that `--format` takes.

    A file is recognised by its name and content; `--format` is needed only for those that say so.
    """
    from recollect.data.formats import registry

    found = {name: one.description for name, one in registry.formats().items()}
    if json:
        print_json(found)
        return
    width = max(map(len, found))
    for name, description in found.items():
        typer.echo(f"{name:<{width}}  {description}")
