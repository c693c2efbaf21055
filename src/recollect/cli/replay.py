"""`recollect replay`: a whole log into the store of a service, with everybody's memory ready."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.asking import note
from recollect.cli.output import bar
from recollect.cli.reading import with_reading
from recollect.cli.serve import Store


@with_reading
def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained model.")],
    store: Store = "store",
    data: Annotated[str | None, typer.Option(help="A log, read as the run's was.", show_default="the run's")] = None,
    half: Annotated[bool, typer.Option("--half", help="Save memories in half precision.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Load a log into the journal and make every user's memory, before the service starts.

    Every event goes in, also those that training left out by time or as rare.

    The log is read as that of the run, with the options below laid over it. Interrupted or repeated, it goes on where
    it was: an event that is there already, the same user, item and time, is not taken in again.

    Examples:

    - `recollect replay runs/first --store store`
    - `recollect replay runs/first --store store --data newer.csv`
    """
    from recollect.artifact import load
    from recollect.data.histories import known_histories
    from recollect.data.times.span import in_words, inside
    from recollect.serve.engine import Engine
    from recollect.serve.stores.opening import is_url, open_store
    from recollect.serve.stores.replay import replay
    from recollect.study.read_again import remarks_on_gone
    from recollect.study.scoring import whole_log

    artifact = load(run)
    log = whole_log(artifact, data, reading)
    for remark in remarks_on_gone(artifact):
        note(remark)
    if not inside(log.times).all():
        kind = "are no times, only an order" if not log.clock else f"are outside {in_words()} in part"
        note(f"the times of {log.name} {kind}; a log exported from this store is read with --time-format unix")
    with open_store(store) as kept:
        for remark in log.remarks():
            typer.echo(remark, err=True)
        before = kept.events
        with bar("events", len(log.items)) as show:
            for done in replay(kept, log):
                show(done)
        new, users = kept.events - before, len(kept.users())
        with bar("memories", users) as show:
            for done in Engine(artifact, kept, half=half).rebuild():
                show(done)
    if unknown := known_histories(log, artifact.items)[1]:
        typer.echo(f"{unknown:,} events are of items this model does not know: kept, but no part of a memory", err=True)
    where = "the store" if is_url(store) else store
    typer.echo(f"{new:,} new events of {len(log.items):,}; {users:,} users have a memory of {artifact.name} in {where}")
