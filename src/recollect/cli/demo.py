"""`recollect demo`: the whole path on a simulated log, so that a newcomer sees what comes out before reading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recollect.cli.output import print_json, table


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Where the trained model is kept.", show_default="runs/demo-<date>")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON for a program to read.")] = False,
) -> None:
    """Simulate a log, train four models on it, compare them with the best possible, and recommend for one user.

    Takes three minutes or so on two processors and needs no data. The simulated log has tastes that last, sessions,
    popular items and repeats, and the best score anybody could reach on it is known.
    """
    from recollect.cli.recommend import show_answer, show_history
    from recollect.cli.train import short
    from recollect.data.summary import summarise
    from recollect.evaluate.metrics import figure
    from recollect.recommend import recommend
    from recollect.study import demo as study
    from recollect.train.progress import Console

    report = Console()
    result = study.run_demo(out, report)
    if json:
        print_json(
            {
                "folder": str(result.folder),
                "rows": [row.plain() for row in result.rows],
                "comparison": result.comparison,
                "protocol": result.protocol_line,
            }
        )
        return
    log = result.log
    facts = summarise(log)
    typer.echo(
        f"\nA simulated log of {facts.users:,} users, {facts.items:,} items and {facts.events:,} events. The question: "
        "what does each user choose last, given all they chose before?"
    )
    columns = [("model", "left"), ("HR@10", "right"), ("NDCG@10", "right"), ("of best", "right"), ("seconds", "right")]
    rows = [
        [
            row.name,
            row.metrics.text("hr@10"),
            row.metrics.text("ndcg@10"),
            f"{row.share:.0%}",
            "" if row.seconds is None else f"{row.seconds:.1f}",
        ]
        for row in result.rows
    ]
    table(columns, rows, "Test, mean ± standard error over users")
    typer.echo(result.protocol_line)
    one = result.comparison
    verdict = "better" if one.better else "not shown to be better"
    typer.echo(
        f"{one.run} minus {one.baseline}, NDCG@10: {figure(one.difference)}, paired 95 % interval "
        f"[{figure(one.low)}, {figure(one.high)}] over {one.users:,} users: {verdict}.\n"
    )
    trained = result.trained
    first, last = log.offsets[result.user : result.user + 2]
    past, name = log.item_ids.decode(log.items[first:last]).tolist(), log.user_ids.decode(result.user)
    show_history(trained, past, f"History of user {name}")
    times = [log.times[first:last].tolist()]
    (answer,) = recommend(trained.model, trained.items, [past], times=times, titles=trained.titles, seen="allowed")
    show_answer(answer, f"Next for user {name} by {trained.name} (items they had are allowed)")
    folder = short(result.folder)
    typer.echo(f"The trained {trained.name} lies in {folder}. Try next:")
    typer.echo(f"  recollect recommend {folder} --user {log.user_ids.decode(result.user + 1)} -k 5")
    series = "; ".join(str(title) for title in trained.titles[1:3])
    typer.echo(f'  recollect recommend {folder} --history "{series}"')
    typer.echo(f"  recollect evaluate {folder} --on validation")
    typer.echo("  recollect train xlstm-lsr --data YOUR.csv --user USER --item ITEM --time TIME")
