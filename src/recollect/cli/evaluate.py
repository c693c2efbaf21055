"""`recollect evaluate`: how good a trained model is, or several side by side, with standard errors and the protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.choices import Part, Protocol, Seen, Target
from recollect.cli.choices import history as history_in
from recollect.cli.output import print_json, print_sheets, table
from recollect.cli.reading import with_reading

if TYPE_CHECKING:
    from recollect.data.seen import Seen as SeenName
    from recollect.data.splits import SplitName
    from recollect.data.splits import Target as TargetName
    from recollect.evaluate.ledger import Ledger
    from recollect.evaluate.lists import ListMetrics
    from recollect.evaluate.metrics import Metrics
    from recollect.evaluate.protocol import History
    from recollect.study.since import Since


@with_reading
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The folder of a trained model, or several.")],
    protocol: Annotated[
        Protocol | None, typer.Option(help="Another split than the run's.", show_default="the run's")
    ] = None,
    seen: Annotated[
        Seen | None, typer.Option(help="Whether items a user already had can be answers.", show_default="the run's")
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            help="Of how much before a target the model may know: `whole`, or the last events, as `last-500`.",
            metavar="whole|last-L",
            show_default="the run's",
        ),
    ] = None,
    on: Annotated[Part | None, typer.Option(help="Whose targets are ranked.", show_default="test")] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the log lies now, or a newer one.", show_default="the run's")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Ask for the events since this date (UTC, or the run's time zone) or unix time instead.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option(
            help="With --since: which of a user's events are targets.", show_default="the run's split.target, else all"
        ),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Keep the rank of every target here, as Parquet.", show_default=False)
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Which of several runs the others are compared with; by default the best.", show_default=False
        ),
    ] = None,
    lists: Annotated[bool, typer.Option("--lists", help="Also say what the top 10 lists show (of one run).")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Rank every target among all items and print the metrics at 5, 10 and 20 with their standard errors.

    Several runs are put side by side: a table of all, and the difference of each to the best with its interval. Runs
    that differ only in their seed are one row.

    `--since` judges an older model on a newer log, which holds the older events too: each event since is a target (or
    the first or last of each user, as the run's `split.target` has it), given all its user did before. Items that the
    model does not know are counted as misses, and left out; both are printed.

    A newer log is read as that of the run, with the options below laid over it.

    Test answers honestly only once per choice made, so every scoring of test is noted in the run's folder
    (test-scorings.jsonl), and every one of `--since` beside them; choose between models with `--on validation`.

    Examples:

    - `recollect evaluate runs/first`
    - `recollect evaluate runs/first --on validation --seen allowed --ledger ranks.parquet`
    - `recollect evaluate runs/first --on validation --lists`
    - `recollect evaluate runs/first --on validation --history last-500`
    - `recollect evaluate runs/first runs/second --on validation`
    - `recollect evaluate runs/ml-1m/*/seed-? --seen allowed`
    - `recollect evaluate runs/last-week --data newer.csv --since 2024-06-03`
    """
    from recollect.artifact import load
    from recollect.config import ConfigError
    from recollect.evaluate.metrics import measure
    from recollect.study.read_again import remarks_on_reading
    from recollect.study.scoring import (
        data_of,
        note_scoring,
        remark_on_baskets,
        remark_on_data,
        score,
        settings_of,
        shown,
    )
    from recollect.study.side_by_side import side_by_side
    from recollect.study.tables import plain

    def note(text: str) -> None:
        typer.echo(f"note: {text}", err=True)

    known = history_in(history)
    if since is not None:
        others = {"--protocol": protocol, "--on": on, "--lists": lists, "--against": against}
        others["several runs"] = len(runs) > 1
        if said := [name for name, value in others.items() if value]:
            raise ConfigError(f"--since asks one run for what came later; leave out {', '.join(said)}")
        _since(runs[0], data, reading, since, target, seen, known, ledger, json, note)
        return
    if target is not None:
        raise ConfigError("--target says which events since a moment are targets; give --since, or leave it out")
    on = on or Part.test
    split: SplitName | None = None if protocol is None else protocol.value
    candidates: SeenName | None = None if seen is None else seen.value
    if len(runs) > 1:
        if lists:
            raise ConfigError("--lists describes the lists of one run; name one")
        asked: dict[str, Any] = {"protocol": split, "seen": candidates, "history": known, "on": on.value}
        made = side_by_side(runs, source=data, reading=reading, against=against, note=note, **asked)
        assert made.ledger is not None
        if ledger is not None:
            made.ledger.save(ledger)
        print_json(plain(made)) if json else print_sheets(made)
        return
    if against is not None:
        raise ConfigError("--against compares several runs; name the others too")
    (run,) = runs
    trained = load(run)
    settings_of(trained)  # a model kept without a log is refused before one is read
    log = data_of(trained, data, reading)
    for remark in (*remarks_on_reading(trained, log, data), *remark_on_data(trained, log)):
        note(remark)
    ranked = score(trained, log, protocol=split, seen=candidates, history=known, on=on.value)
    for remark in remark_on_baskets(log, ranked, on.value):
        note(remark)
    look = shown(trained, log, protocol=split, seen=candidates, history=known, on=on.value) if lists else None
    metrics = measure(ranked)
    if newcomers := int((ranked.length == 0).sum()):
        note(f"{newcomers:,} of the {metrics.targets:,} targets are of newcomers: no event stands before them")
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
                "targets": metrics.targets,
                "questions": metrics.targets,  # its name before 0.2
                "misses": metrics.misses,
                "protocol": ranked.protocols[trained.name],
                "protocol_line": line,
                "test_scorings": scorings,
                **({} if look is None else {"lists": look}),
            }
        )
    else:
        _print(trained.name, on, metrics, line, look, scorings)


def _since(
    run: Path,
    data: str | None,
    reading: dict[str, Any],
    since: str,
    target: Target | None,
    seen: Seen | None,
    history: History | None,
    ledger: Path | None,
    json: bool,
    note: Callable[[str], None],
) -> None:
    from recollect.artifact import load
    from recollect.evaluate.metrics import measure
    from recollect.study.read_again import remarks_on_reading
    from recollect.study.scoring import note_scoring
    from recollect.study.since import data_since, score_since

    trained = load(run)
    log, remark = data_since(trained, data, reading)
    for one in remarks_on_reading(trained, log, data):
        note(one)
    which: TargetName | None = None if target is None else target.value
    candidates: SeenName | None = None if seen is None else seen.value
    result = score_since(trained, log, since, target=which, seen=candidates, history=history)
    for one in (*([remark] if remark else []), *result.notes):
        note(one)
    metrics = measure(result.missed)
    known = None if result.known is None else measure(result.known)
    if ledger is not None:
        result.missed.save(ledger)
    own = log.digest == trained.card.get("data", {}).get("digest")  # its test answers are among what came since
    scorings = note_scoring(run, result.missed, metrics, "test" if own else "since")
    counted = {"test_scorings": scorings} if own else {"since_scorings": scorings}
    if json:

        def plain(ranked: Ledger, its: Metrics) -> dict[str, object]:
            return {
                "values": its.values,
                "errors": its.errors,
                "users": its.users,
                "targets": its.targets,
                "questions": its.targets,  # its name before 0.2
                "misses": its.misses,
                "protocol": ranked.protocols[trained.name],
                "protocol_line": ranked.protocols[trained.name].line(),
            }

        print_json(
            {
                "model": trained.name,
                "since": since,
                "target": result.target,
                "targets_of_new_items": result.new_targets,
                "new_items": result.new_items,
                "new_users": result.new_users,
                "new_items_are_misses": plain(result.missed, metrics),
                "new_items_left_out": None if result.known is None or known is None else plain(result.known, known),
                **counted,
            }
        )
        return
    _print_since(trained.name, since, result, metrics, known)
    _print_scorings(scorings, "test" if own else "events since a moment")


def _print_since(model: str, since: str, result: Since, metrics: Metrics, known: Metrics | None) -> None:
    share = f"{result.new_targets:,} of {metrics.targets:,} targets ({result.new_targets / metrics.targets:.1%})"
    if known is None:
        typer.echo(f"All {metrics.targets:,} targets since {since} are items that {model} does not know.")
        typer.echo(result.missed.protocols[model].line())
        return
    if result.new_targets:
        _table(f"{model} on events since {since}, new items are misses", metrics)
        typer.echo(result.missed.protocols[model].line() + "\n")
        _table(f"{model} on events since {since}, new items left out", known)
        typer.echo(result.known.protocols[model].line() if result.known else "")
        typer.echo(f"{share} are of items that the model does not know ({result.new_items:,} different ones).")
    else:
        _table(f"{model} on events since {since}", metrics)
        typer.echo(result.missed.protocols[model].line())
        typer.echo("Every target is an item that the model knows.")
    if result.new_users:
        typer.echo(f"{result.new_users:,} of the {metrics.users:,} users begin without any event the model can read.")
    seen_before = known.misses
    if seen_before:
        typer.echo(
            f"{seen_before / known.targets:.1%} of the targets the model knows were seen before and count as misses; "
            "--seen allowed ranks them too."
        )


def _print(model: str, on: Part, metrics: Metrics, line: str, look: ListMetrics | None, scorings: int) -> None:
    _table(f"{model} on {on.value}", metrics)
    typer.echo("HR is Recall here: a target is one item.")
    if metrics.misses:
        share = metrics.misses / metrics.targets
        typer.echo(f"{share:.1%} of the targets were seen before and count as misses; --seen allowed ranks them too.")
    typer.echo(line)
    if look is not None:
        typer.echo(
            f"The top 10 of {look.lists:,} users show {look.coverage:.1%} of the catalogue; "
            f"{look.popularity_share:.1%} of their places go to the fifth of the items that is most frequent in "
            f"training (Gini of exposure {look.exposure_gini:.3f}, mean novelty {look.novelty:.2f} bits)."
        )
    _print_scorings(scorings, "test")


def _print_scorings(scorings: int, of: str) -> None:
    from recollect.study.scoring import SCORINGS

    if scorings > 1:
        typer.echo(f"This was scoring {scorings} of {of} for this run ({SCORINGS} lists them).")


def _table(title: str, metrics: Metrics) -> None:
    from recollect.evaluate.metrics import CUTOFFS

    kinds = [("HR", "hr"), ("NDCG", "ndcg"), ("MRR", "mrr"), ("Precision", "precision")]
    rows = [[name, *(metrics.text(f"{kind}@{k}") for k in CUTOFFS)] for name, kind in kinds]
    rows.append(["MAP (whole list)", metrics.text("map"), "", ""])
    heads = [("", "left"), *((f"@{k}", "right") for k in CUTOFFS)]
    table(heads, rows, f"{title}: mean ± standard error over {metrics.users:,} users")
