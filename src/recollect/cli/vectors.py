"""`recollect vectors`: the vectors of items or users with their ids, for an index of nearest neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.asking import Data, Json, Run, answering_log, note
from recollect.cli.output import print_json
from recollect.cli.reading import expect_log, with_reading


@with_reading
def vectors(
    run: Run,
    out: Annotated[
        Path, typer.Option(help="A file: .npy (ids beside it), .npz, .parquet, .jsonl or .csv.", show_default=False)
    ],
    users: Annotated[
        bool, typer.Option("--users", help="The users instead of the items: each after the whole history.")
    ] = False,
    data: Data = None,
    json: Json = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Write the vectors of all items, or of all users of the log, with the ids they belong to.

    A newer log is read as that of the run, with the options below laid over it.

    The logit of an item for a user is the product of their vectors, plus the bias of the item where the model has
    one (a column `bias`, or `NAME.bias.npy`). Beside `NAME.npy` the ids are in `NAME.ids.txt`, one a line.

    Examples:

    - `recollect vectors runs/first --out items.npy`
    - `recollect vectors runs/first --users --out users.parquet`
    """
    from recollect.artifact import load
    from recollect.data.vector_files import VECTOR_ENDINGS, write_vectors
    from recollect.data.writing import checked_ending

    checked_ending(out, VECTOR_ENDINGS)
    expect_log(reading, None if users else "the vectors of items")
    trained = load(run)
    found = trained.user_vectors(answering_log(trained, data, reading)) if users else trained.vectors()
    files = write_vectors(out, found)
    width = found["vector"].shape[1]
    if "bias" in found.columns:
        note(f"{trained.name} adds a bias to each item: logit = user vector x item vector + bias")
    if users and trained.model.met_events:
        note(f"{trained.name} scores items that a user has met apart, and no vector holds that")
    if json:
        about = {"model": trained.name, "digest": trained.digest, "of": "users" if users else "items"}
        print_json({**about, "vectors": len(found), "width": width, "files": [str(one) for one in files]})
        return
    whose = "users" if users else "items"
    typer.echo(f"{len(found):,} vectors of {whose}, {width} wide, are in {', '.join(map(str, files))}")
