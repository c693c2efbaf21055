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
    from recollect.serve.stores.records import Event
    from recollect.serve.stores.segments import read, segments

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
            help="Write as the log of this run is read (columns, times, separator): refit and evaluate --data take it.",
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
    from recollect.data.times.span import in_words, inside
    from recollect.serve.stores.embedded import JOURNAL
    from recollect.serve.stores.opening import is_url, open_store
    from recollect.serve.stores.replay import export_journal, export_store

    doubtful = 0

    def counted(blocks: Iterable[Mapping[str, np.ndarray]]) -> Iterator[Mapping[str, np.ndarray]]:
        nonlocal doubtful
        for block in blocks:
            doubtful += int((~inside(block["time"])).sum())
            yield block

    def write(blocks: Iterable[Mapping[str, np.ndarray]]) -> int:
        return write_blocks(out, counted(blocks)) if like is None else _write_like(like, out, blocks)

    if is_url(store):
        with open_store(store) as kept:
            rows = write(export_store(kept))
    else:
        rows = write(export_journal(Path(store) / JOURNAL))
    if doubtful:
        typer.echo(
            f"note: {doubtful:,} of the {rows:,} times are outside {in_words()}; whoever reads {out} says "
            "--time-format unix to take them as they are",
            err=True,
        )
    typer.echo(f"{rows:,} events are in {out}")


def _write_like(run: Path, out: Path, blocks: Iterable[Mapping[str, np.ndarray]]) -> int:
    """Write events as the log of a run is read, and read them as it does -> rows.

    ConfigError where that cannot be; what is read otherwise than it was is said.
    """
    from recollect.artifact import is_artifact, read_card
    from recollect.config import ConfigError
    from recollect.data.as_read import AsRead
    from recollect.data.filters import FilterConfig
    from recollect.data.log import DataError
    from recollect.study.run import read_data
    from recollect.study.settings import settings_in, times_as_read

    data = settings_in(run).data
    times = times_as_read(data.time_format, read_card(run) if is_artifact(run) else {})
    data = data.model_copy(update={"time_format": times})
    otherwise = "export without --like, and train on that file"
    try:
        written = AsRead(data, out)
        rows = written.write(blocks)
    except ConfigError as error:
        raise ConfigError(f"{run}: its log {error}; or {otherwise}") from None
    sides = dict.fromkeys(("items", "users", "item_key", "item_title", "user_key"))
    alone = {"source": str(out), "candidates": "log", "filters": FilterConfig(), **sides}
    try:
        dropped = read_data(data.model_copy(update=alone)).dropped if rows else ()
    except DataError as error:
        out.unlink()
        raise DataError(f"{run} would not read its export: {error}; {otherwise}") from None
    notes = [
        *written.notes,
        *(f"{run} leaves out {one.events:,} x {one.reason} {one.detail}".rstrip() for one in dropped),
    ]
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    return rows


@app.command()
def compact(store: Store) -> None:
    """Remove the events of forgotten users from the files for good. The service must not be running.

    Example: `recollect journal compact store`
    """
    from recollect.serve.stores.embedded import JOURNAL, EmbeddedStore
    from recollect.serve.stores.segments import segments

    segments(store / JOURNAL)  # no folder is made where there is none
    with EmbeddedStore(store) as kept:
        removed = kept.compact()
    typer.echo(f"{removed:,} events are gone from {store}")
