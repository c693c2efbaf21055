"""`recollect similar`: items like one item, for a product page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recollect.cli.asking import OUT, Allow, Deny, Json, Run, Within, restricted
from recollect.cli.output import print_json, table


def similar(
    run: Run,
    item: Annotated[str, typer.Option(help="An item, by id or title.", show_default=False)],
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")] = 10,
    allow: Allow = None,
    deny: Deny = None,
    within: Within = None,
    out: Annotated[Path | None, typer.Option(help=OUT, show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show the items most like one item: rank, id, title and similarity.

    Networks and factorisations compare the vectors of the items by their cosine. Models that count say what they
    score by: `itemknn` its similarities, `markov` what follows, `ease` its weights. The others cannot compare items.

    Examples:

    - `recollect similar runs/first --item 260`
    - `recollect similar runs/first --item "toy story" -k 5 --allow in-stock.txt`
    """
    from recollect.artifact import load
    from recollect.data.writing import checked_ending

    if out is not None:
        checked_ending(out)
    trained = load(run)
    may = restricted(trained, allow, deny, within)
    found = trained.similar(item, k, **may.asked)
    if out is not None:
        found.table().write(out)
        typer.echo(f"{len(found):,} items like {found.title} are in {out}")
        return
    if json:
        about = {"model": trained.name, "digest": trained.digest, "item": found.item, "title": found.title}
        print_json({**about, "measure": found.measure, "similar": found.items})
        return
    columns = [("rank", "right"), ("id", "left"), ("title", "left"), ("similarity", "right")]
    rows = [[str(one.rank), str(one.item), one.title, f"{one.similarity:.4f}"] for one in found]
    table(columns, rows, f"Like {found.title} (id {found.item}): {found.measure}")
    if not found.items:
        typer.echo("no item is like it", err=True)
