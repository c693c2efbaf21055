"""`recollect recommend`: a ranked list with logit and probability, for one user, one history, or everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.choices import Seen
from recollect.cli.output import print_json, printable, table

if TYPE_CHECKING:
    from recollect.artifact import Artifact
    from recollect.recommend import Answer

TAIL = 10
"""Events of a history that are shown."""


def recommend(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained model.")],
    user: Annotated[str | None, typer.Option(help="A user of the log, by id.", show_default=False)] = None,
    history: Annotated[
        str | None,
        typer.Option(help="Item ids or titles, oldest first, with ; between them.", show_default=False),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Lists for all users, written to --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="With --all: a Parquet file.", show_default=False)] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")] = 10,
    seen: Annotated[
        Seen | None, typer.Option(help="Whether items already had may be recommended.", show_default="the run's")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the log lies now, or a newer log.", show_default="the run's")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Recommend the next items: rank, id, title, logit and probability.

    A probability is an item's share among all items, before anything is hidden. Exactly one of `--user`, `--history`
    and `--all` says for whom.

    Examples:

    - `recollect recommend runs/first --user 42 -k 5`
    - `recollect recommend runs/first --history "Toy Story; The Matrix; 260"`
    - `recollect recommend runs/first --all --out recommendations.parquet`
    """
    from recollect.config import ConfigError

    if (user is not None) + (history is not None) + everybody != 1:
        raise ConfigError('say for whom: exactly one of --user ID, --history "id or title; ..." and --all')
    if everybody != (out is not None):
        raise ConfigError("--all and --out belong together: recollect recommend RUN --all --out recs.parquet")

    from recollect.artifact import load

    trained = load(run)
    hide = seen.value if seen is not None else trained.settings.get("evaluate", {}).get("seen", "hidden")
    if everybody:
        assert out is not None
        _all(trained, data, out, k, hide, json)
    elif user is not None:
        past, times = _history_of(trained, data, user)
        _show(trained, past, times, k, hide, json, f"user {user}")
    else:
        from recollect.data.titles import resolve_history

        assert history is not None
        codes = resolve_history(history, trained.items, trained.titles)
        _show(trained, trained.items.decode(codes).tolist(), None, k, hide, json, "a typed history")


def _history_of(trained: Artifact, data: str | None, user: str) -> tuple[list[Any], list[int] | None]:
    """Ids (and times, if the log has a clock) of a user's events, oldest first."""
    from recollect.data.log import DataError
    from recollect.study.scoring import data_of

    log = data_of(trained, data)
    code = log.user_ids.find(user)
    if code is None:
        some = ", ".join(printable(str(one), 20) for one in log.user_ids.ids[:5].tolist())
        raise DataError(f"{log.name} has no user {printable(user)!r}; it has {len(log.user_ids):,}, such as {some}")
    first, last = log.offsets[code : code + 2]
    times = log.times[first:last].tolist() if log.clock else None
    return log.item_ids.decode(log.items[first:last]).tolist(), times


def _show(
    trained: Artifact, past: list[Any], times: list[int] | None, k: int, seen: Any, json: bool, whose: str
) -> None:
    from recollect.recommend import recommend as lists

    (answer,) = lists(
        trained.model,
        trained.items,
        [past],
        times=None if times is None else [times],
        titles=trained.titles,
        k=k,
        seen=seen,
    )
    if json:
        rows = [
            {name: getattr(one, name) for name in ("rank", "item", "title", "logit", "probability")} for one in answer
        ]
        about = {"model": trained.name, "digest": trained.digest, "seen": seen, "events": len(past)}
        print_json({**about, "history": past[-TAIL:], "unknown": list(answer.unknown), "recommendations": rows})
        return
    show_history(trained, past, f"The events of {whose}")
    show_answer(answer, f"Next for {whose} (seen items {seen})")


def show_history(trained: Artifact, past: list[Any], title: str) -> None:
    """The newest events of a history, oldest first."""
    rows = []
    for place in range(max(0, len(past) - TAIL), len(past)):
        code = trained.items.find(past[place])
        name = "(not known to the model)" if code is None else str(trained.titles[code])
        rows.append([str(place + 1), str(past[place]), name])
    of = f", the last {TAIL} of {len(past):,} events" if len(past) > TAIL else ""
    table([("event", "right"), ("id", "left"), ("title", "left")], rows, f"{title}{of}")


def show_answer(answer: Answer, title: str) -> None:
    """A ranked list."""
    likely = any(one.probability is not None for one in answer)
    columns = [("rank", "right"), ("id", "left"), ("title", "left"), ("logit", "right")]
    rows = []
    for one in answer:
        row = [str(one.rank), str(one.item), one.title, f"{one.logit:.3f}"]
        rows.append([*row, f"{one.probability:.2%}"] if one.probability is not None else row)
    table([*columns, ("probability", "right")] if likely else columns, rows, title)
    if answer.unknown:
        some = ", ".join(printable(str(one), 30) for one in answer.unknown[:5])
        typer.echo(f"Not known to the model, and skipped: {len(answer.unknown)} ({some})", err=True)


def _all(trained: Artifact, data: str | None, out: Path, k: int, seen: Any, json: bool) -> None:
    from recollect.data.histories import known_histories
    from recollect.data.parquet import write_blocks
    from recollect.recommend import as_columns, top_lists
    from recollect.study.scoring import data_of

    log = data_of(trained, data)
    histories, unknown = known_histories(log, trained.items)
    lists = top_lists(trained.model, histories, k=k, seen=seen, clock=log.clock)
    blocks = (as_columns(block, log.user_ids.ids, trained.items, trained.titles) for block in lists)
    about = {"recollect.model": trained.name, "recollect.digest": trained.digest, "recollect.seen": str(seen)}
    rows = write_blocks(out, blocks, about)
    if json:
        print_json({"out": str(out), "users": len(histories), "rows": rows, "seen": seen, "unknown_events": unknown})
        return
    typer.echo(f"{rows:,} recommendations for {len(histories):,} users are in {out}")
    if unknown:
        typer.echo(f"{unknown:,} events of items the model does not know were skipped", err=True)
