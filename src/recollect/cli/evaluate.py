"""`recollect evaluate`: how good a trained model is, or several side by side, with standard errors and the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recollect.cli.choices import Part, Protocol, Seen
from recollect.cli.output import print_json, print_sheets, table

if TYPE_CHECKING:
    from recollect.data.seen import Seen as SeenName
    from recollect.data.splits import SplitName
    from recollect.evaluate.lists import ListMetrics
    from recollect.evaluate.metrics import Metrics


def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The folder of a trained model, or several.")],
    protocol: Annotated[
        Protocol | None, typer.Option(help="Another split than the run's.", show_default="the run's")
    ] = None,
    seen: Annotated[
        Seen | None, typer.Option(help="Whether items a user already had can be answers.", show_default="the run's")
    ] = None,
    on: Annotated[Part, typer.Option(help="Which questions are asked.")] = Part.test,
    data: Annotated[
        str | None, typer.Option(help="Where the log lies now, if it has moved.", show_default="the run's")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Keep the rank of every target here, as Parquet.", show_default=False)
    ] = None,
    lists: Annotated[bool, typer.Option("--lists", help="Also say what the top 10 lists show (of one run).")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Rank every target among all items and print the metrics at 5, 10 and 20 with their standard errors.

    Several runs are put side by side: a table of all, and the difference of each to the best with its interval. Runs
    that differ only in their seed are one row.

    Test answers honestly only once per choice made, so every scoring of test is noted in the run's folder
    (test-scorings.jsonl); choose between models with `--on validation`.

    Examples:

    - `recollect evaluate runs/first`
    - `recollect evaluate runs/first --on validation --seen allowed --ledger ranks.parquet`
    - `recollect evaluate runs/first --on validation --lists`
    - `recollect evaluate runs/first runs/second --on validation`
    - `recollect evaluate runs/ml-1m/*/seed-? --seen allowed`
    """
    from recollect.artifact import load
    from recollect.config import ConfigError
    from recollect.evaluate.metrics import measure
    from recollect.study.scoring import data_of, note_scoring, remark_on_data, score, shown
    from recollect.study.side_by_side import side_by_side
    from recollect.study.tables import plain

    def note(text: str) -> None:
        typer.echo(f"note: {text}", err=True)

    split: SplitName | None = None if protocol is None else protocol.value
    candidates: SeenName | None = None if seen is None else seen.value
    if len(runs) > 1:
        if lists:
            raise ConfigError("--lists describes the lists of one run; name one")
        made = side_by_side(runs, source=data, protocol=split, seen=candidates, on=on.value, note=note)
        assert made.ledger is not None
        if ledger is not None:
            made.ledger.save(ledger)
        print_json(plain(made)) if json else print_sheets(made)
        return
    (run,) = runs
    trained = load(run)
    log = data_of(trained, data)
    for remark in remark_on_data(trained, log):
        note(remark)
    ranked = score(trained, log, protocol=split, seen=candidates, on=on.value)
    look = shown(trained, log, protocol=split, seen=candidates, on=on.value) if lists else None
    metrics = measure(ranked)
    if ledger is not None:
        ranked.save(ledger)
    scorings = note_scoring(run, ranked, metrics) if on is Part.test else 0
    line = ranked.protocols[trained.name].line()
    if json:
        print_json(
            {
                "model": trained.name,
                "on": on.value,
                "values": metrics.values,
                "errors": metrics.errors,
                "users": metrics.users,
                "questions": metrics.questions,
                "misses": metrics.misses,
                "protocol": ranked.protocols[trained.name],
                "protocol_line": line,
                "test_scorings": scorings,
                **({} if look is None else {"lists": look}),
            }
        )
    else:
        _print(trained.name, on, metrics, line, look, scorings)


def _print(model: str, on: Part, metrics: Metrics, line: str, look: ListMetrics | None, scorings: int) -> None:
    from recollect.evaluate.metrics import CUTOFFS
    from recollect.study.scoring import SCORINGS

    kinds = [("HR", "hr"), ("NDCG", "ndcg"), ("MRR", "mrr"), ("Precision", "precision")]
    rows = [[name, *(metrics.text(f"{kind}@{k}") for k in CUTOFFS)] for name, kind in kinds]
    rows.append(["MAP (whole list)", metrics.text("map"), "", ""])
    heads = [("", "left"), *((f"@{k}", "right") for k in CUTOFFS)]
    table(heads, rows, f"{model} on {on.value}: mean ± standard error over {metrics.users:,} users")
    typer.echo("HR is Recall here: every question has one right answer.")
    if metrics.misses:
        share = metrics.misses / metrics.questions
        typer.echo(f"{share:.1%} of the targets were seen before and count as misses; --seen allowed ranks them too.")
    typer.echo(line)
    if look is not None:
        typer.echo(
            f"The top 10 of {look.lists:,} users show {look.coverage:.1%} of the catalogue; "
            f"{look.popularity_share:.1%} of their places go to the fifth of the items that is most frequent in "
            f"training (Gini of exposure {look.exposure_gini:.3f}, mean novelty {look.novelty:.2f} bits)."
        )
    if scorings > 1:
        typer.echo(f"This was scoring {scorings} of test for this run ({SCORINGS} lists them).")
