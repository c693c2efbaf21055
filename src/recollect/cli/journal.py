"""`recollect journal`: check, export and compact the events of a service, without the service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recollect.cli.output import print_json

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer(no_args_is_help=True, help="Check or export the events of a service; it may be running meanwhile.")


def _folder(place: str) -> Path:
    if "://" in place:
        raise typer.BadParameter("a folder is expected; a store on a Redis or Valkey server has no journal files")
    return Path(place)


Store = Annotated[
    Path,
    typer.Argument(metavar="STORE", parser=_folder, help="The folder that `recollect serve --store` was given."),
]


@app.command()
def verify(
    store: Store, json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False
) -> None:
    """Read every line of the journal and check that none is lost, changed or out of place.

    Example: `recollect journal verify store`
    """
    from recollect.serve.stores.embedded import JOURNAL
    from recollect.serve.stores.journal import read, segments
    from recollect.serve.stores.records import Event

    folder = store / JOURNAL
    events = forgotten = last = 0
    for number, record in read(folder):
        last = number
        events += isinstance(record, Event)
        forgotten += not isinstance(record, Event)
    files = segments(folder)
    size = sum(one.path.stat().st_size for one in files)
    if json:
        print_json({"events": events, "forgotten": forgotten, "last": last, "files": len(files), "bytes": size})
        return
    waiting = f"; {forgotten:,} requests to forget wait to be compacted" if forgotten else ""
    typer.echo(
        f"{folder}: whole. {events:,} events in {len(files)} file(s), {size:,} bytes, up to record {last:,}{waiting}"
    )


@app.command()
def export(
    store: Annotated[str, typer.Argument(metavar="STORE", help="What `recollect serve --store` was given.")],
    out: Annotated[
        Path, typer.Option(help="A .csv, .jsonl or .parquet file: user, item, time; of a folder also number and id.")
    ],
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Name the columns as the log of this run did, so that refit and evaluate --data read the file.",
        ),
    ] = None,
) -> None:
    """Write the events to a file that reads as a log again, in the form that its ending says. Events of forgotten users
    are left out.

    Examples:

    - `recollect journal export store --out events.parquet`
    - `recollect journal export store --out newer.csv --like runs/first`
    """
    from recollect.data.writing import checked_ending, write_blocks

    checked_ending(out)
    names = None if like is None else _names_in(like)
    from recollect.serve.stores.embedded import JOURNAL
    from recollect.serve.stores.opening import is_url, open_store
    from recollect.serve.stores.replay import export_journal, export_store

    def named(blocks: Iterable[Mapping[str, np.ndarray]]) -> Iterator[Mapping[str, np.ndarray]]:
        for block in blocks:
            yield block if names is None else {theirs: block[ours] for ours, theirs in names.items()}

    if is_url(store):
        with open_store(store) as kept:
            rows = write_blocks(out, named(export_store(kept)))
    else:
        rows = write_blocks(out, named(export_journal(Path(store) / JOURNAL)))
    typer.echo(f"{rows:,} events are in {out}")


def _names_in(run: Path) -> dict[str, str]:
    """What the log of a run called user, item and time. ConfigError where it reads what no export has."""
    from recollect.config import ConfigError
    from recollect.data.reading import NO_TIME
    from recollect.study.settings import settings_in

    data = settings_in(run).data
    names = {role: getattr(data, role) or role for role in ("user", "item", "time")}
    if names["time"] == NO_TIME:
        names["time"] = "time"
    needed = [name for name in ("where", "kind", "format", "separator", "time_format") if getattr(data, name)]
    needed += [role for role, name in names.items() if "," in name or name.isdigit()]
    if needed:
        raise ConfigError(
            f"{run}: its log is read by data.{needed[0]}, and an export has only a user, an item and a unix time in "
            "columns with names; export without --like, and train on that file"
        )
    return names


@app.command()
def compact(store: Store) -> None:
    """Remove the events of forgotten users from the files for good. The service must not be running.

    Example: `recollect journal compact store`
    """
    from recollect.serve.stores.embedded import JOURNAL, EmbeddedStore
    from recollect.serve.stores.journal import segments

    segments(store / JOURNAL)  # no folder is made where there is none
    with EmbeddedStore(store) as kept:
        removed = kept.compact()
    typer.echo(f"{removed:,} events are gone from {store}")
