"""`recollect score`: what a model thinks of given pairs of users and items."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.asking import OUT, At, Data, Json, Run, answering_log, column_of, note, say_when, seconds_of, such_as
from recollect.cli.output import print_json, table
from recollect.cli.reading import with_reading

SHOWN = 20
"""Rows that are shown on the screen."""


@with_reading
def score(
    run: Run,
    pairs: Annotated[
        Path, typer.Option(help="A table with a user and an item column: .csv, .tsv, .jsonl, .parquet.", metavar="FILE")
    ],
    out: Annotated[Path | None, typer.Option(help=OUT, show_default=False)] = None,
    at: At = None,
    data: Data = None,
    json: Json = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Score pairs: logit, probability, and the rank of the item among all items, after the user's whole history.

    The rank counts items that the user had too. A pair whose user is not in the log, or whose item the model does not
    know, has no figures; how many there are is said. Further columns of the file are kept. A newer log is read as that
    of the run, with the options below laid over it.

    Examples:

    - `recollect score runs/first --pairs pairs.csv`
    - `recollect score runs/first --pairs pairs.parquet --out scores.csv --data newer.csv`
    """
    from recollect.artifact import load
    from recollect.data.id_files import read_pairs
    from recollect.data.writing import checked_ending

    if out is not None:
        checked_ending(out)
    seconds_of(at)
    trained = load(run)
    said = seconds_of(at, trained)
    given = read_pairs(pairs, user=column_of(trained, "user"), item=column_of(trained, "item"))
    log = answering_log(trained, data, reading)
    found = trained.score(given, log, at=said)
    say_when(trained, said, found.at, log)
    rows = len(found)
    if out is not None:
        found.write(out, {"recollect.model": trained.name, "recollect.digest": trained.digest})
    known = int(found["logit"].count())  # type: ignore[attr-defined]
    if found.unknown_users:
        note(f"users not in {log.name}: {len(found.unknown_users):,}{such_as(found.unknown_users)}")
    if found.unknown_items:
        note(f"items not known to the model: {len(found.unknown_items):,}{such_as(found.unknown_items)}")
    if found.replaced:
        note(f"{', '.join(found.replaced)} of {pairs}: left out, as a column of the scores has that name")
    if found.incomplete:
        note(f"pairs without a user or without an item: {found.incomplete:,}")
    if known < rows:
        note(f"{rows - known:,} of the {rows:,} pairs have no figures")
    if json:
        about = {"model": trained.name, "digest": trained.digest, "at": found.at, "pairs": rows, "scored": known}
        print_json({**about, **({"out": str(out)} if out else {"scores": list(found.rows())})})
    elif out is not None:
        typer.echo(f"{known:,} scores of {rows:,} pairs are in {out}")
    else:
        columns = [(name, "right" if name in ("logit", "probability", "rank") else "left") for name in found.columns]
        shown = [[_cell(name, value) for name, value in row.items()] for row in islice(found.rows(), SHOWN)]
        table(columns, shown, f"Scores by {trained.name} of {rows:,} pairs")
        if rows > SHOWN:
            typer.echo(f"and {rows - SHOWN:,} more; --out FILE writes all")


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2%}" if name == "probability" else f"{value:.3f}"
    return str(value)
