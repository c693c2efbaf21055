"""`recollect recommend`: ranked lists with logit and probability, for a user, a history, some users or everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.asking import (
    OUT,
    Allow,
    At,
    Data,
    Deny,
    Json,
    Restriction,
    Run,
    Within,
    answering_log,
    column_of,
    history_of,
    named,
    note,
    restricted,
    say_when,
    seconds_of,
    such_as,
    user_of,
)
from recollect.cli.choices import Seen
from recollect.cli.output import print_json, printable, table
from recollect.cli.reading import expect_log, with_reading

if TYPE_CHECKING:
    from recollect.answers.explain import Explanations
    from recollect.artifact import Artifact
    from recollect.recommend import Answer

TAIL = 10
"""Events of a history that are shown, and whose effect `--why` looks at."""


@with_reading
def recommend(
    run: Run,
    user: Annotated[str | None, typer.Option(help="A user of the log, by id.", show_default=False)] = None,
    history: Annotated[
        str | None,
        typer.Option(help="Item ids or titles, oldest first, with ; between them.", show_default=False),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Lists for all users, written to --out.")] = False,
    users: Annotated[
        Path | None,
        typer.Option(
            help="Lists for these users, written to --out: ids, one a line, or a table with a user column.",
            metavar="FILE",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help=OUT, show_default=False)] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="How many items.")] = 10,
    seen: Annotated[
        Seen | None, typer.Option(help="Whether items already had may be recommended.", show_default="the run's")
    ] = None,
    allow: Allow = None,
    deny: Deny = None,
    within: Within = None,
    why: Annotated[
        bool, typer.Option("--why", help=f"Say how each of the last {TAIL} events moved the logits of the list.")
    ] = False,
    at: At = None,
    data: Data = None,
    json: Json = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Recommend the next items: rank, id, title, logit and probability.

    A user is answered from every event the log has, also those that training left out. A newer log is read as that of
    the run, with the options below laid over it. A probability is an item's share among all items, before anything is
    hidden. Exactly one of `--user`, `--history`, `--users` and `--all` says for whom.

    `--why`: an event's figure is the logit of the item with the event minus without it. Above zero, the event speaks
    for the item.

    Examples:

    - `recollect recommend runs/first --user 42 -k 5 --why`
    - `recollect recommend runs/first --history "Toy Story; The Matrix; 260"`
    - `recollect recommend runs/first --all --out lists.csv --allow in-stock.txt`
    - `recollect recommend runs/first --users newsletter.csv --within genres=Comedy --out lists.parquet`
    - `recollect recommend runs/first --user 42 --at 2024-05-31T20:00`
    """
    from recollect.config import ConfigError

    if (user is not None) + (history is not None) + everybody + (users is not None) != 1:
        raise ConfigError(
            'say for whom: exactly one of --user ID, --history "id or title; ...", --users FILE and --all'
        )
    if (everybody or users is not None) and out is None:
        which = "--all" if everybody else "--users"
        raise ConfigError(f"{which} and --out belong together: recollect recommend RUN {which} --out lists.csv")
    if out is not None and history is not None:
        raise ConfigError("--out is for users of the log: it goes with --user, --users and --all")
    if why and out is not None:
        raise ConfigError("--why explains one list on the screen or as --json; leave out --out")
    if out is not None:
        from recollect.data.writing import checked_ending

        checked_ending(out)

    expect_log(reading, None if history is None else "--history")
    seconds_of(at)  # before anything is loaded

    from recollect.artifact import load

    trained = load(run)
    said = seconds_of(at, trained)
    hide: Any = seen.value if seen is not None else trained.seen
    may = restricted(trained, allow, deny, within)
    if out is not None:
        _write(trained, data, reading, user if user is not None else users, out, k, hide, may, said, json)
    elif user is not None:
        from recollect.answers.moment import moment_for

        log = answering_log(trained, data, reading)
        past, times = history_of(log, user_of(log, user))
        told = moment_for(trained, log, said)
        say_when(trained, said, told, log)
        _show(trained, past, times, k, hide, may, told, why, json, f"user {user}")
    else:
        from recollect.answers.moment import moment_for_history
        from recollect.data.titles import resolve_history

        assert history is not None
        codes = resolve_history(history, trained.items, trained.titles)
        told = moment_for_history(trained, said)
        say_when(trained, said, told)
        past = trained.items.decode(codes).tolist()
        _show(trained, past, None, k, hide, may, told, why, json, "a typed history")


def _show(
    trained: Artifact,
    past: list[Any],
    times: list[int] | None,
    k: int,
    seen: Any,
    may: Restriction,
    at: int | None,
    why: bool,
    json: bool,
    whose: str,
) -> None:
    moments = None if at is None else [at]
    clock = None if times is None else [times]
    (answer,) = trained.recommend([past], times=clock, k=k, seen=seen, at=moments, **may.asked)
    listed = [one.item for one in answer]
    reasons = trained.explain(past, times=times, items=listed, last=TAIL, at=at) if why else None
    if json:
        rows = [
            {name: getattr(one, name) for name in ("rank", "item", "title", "logit", "probability")} for one in answer
        ]
        about = {"model": trained.name, "digest": trained.digest, "seen": seen, "at": at, "events": len(past)}
        shown = {"history": past[-TAIL:], "unknown": list(answer.unknown), "recommendations": rows}
        print_json({**about, **shown, **({} if reasons is None else {"why": reasons.items})})
        return
    show_history(trained, past, f"The events of {whose}")
    show_answer(answer, f"Next for {whose} (seen items {seen})")
    if reasons is not None:
        show_reasons(reasons)


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


def show_reasons(reasons: Explanations) -> None:
    """For each listed item the events that moved it most, a line each."""
    columns = [("rank", "right"), ("item", "left"), ("logit", "right"), ("moved by", "left")]
    table(columns, reasons.lines(), "Why: the logit with an event minus without it, the strongest of the last events")


def _write(
    trained: Artifact,
    data: str | None,
    reading: dict[str, Any],
    users: str | Path | None,
    out: Path,
    k: int,
    seen: Any,
    may: Restriction,
    at: int | None,
    json: bool,
) -> None:
    import numpy as np

    from recollect.answers.lists import audience, list_blocks
    from recollect.data.id_files import read_ids
    from recollect.data.writing import write_blocks

    log = answering_log(trained, data, reading)
    asked: list[Any] | None = None
    if isinstance(users, Path):
        found = read_ids(users, "user", also=column_of(trained, "user"))
        asked = found.ids
        if found.empty:
            note(f"{users}: {found.empty:,} lines have no id")
    elif users is not None:
        asked = [log.user_ids.decode(user_of(log, users))]
    who = audience(trained, log, asked, at=at)
    say_when(trained, at, who.at, log)
    with_list = 0

    def counted() -> Any:
        nonlocal with_list
        for block in list_blocks(trained, who, k=k, seen=seen, allowed=may.mask):
            with_list += int(np.count_nonzero(block["rank"] == 1))
            yield block

    about = {"recollect.model": trained.name, "recollect.digest": trained.digest, "recollect.seen": str(seen)}
    if who.at is not None:
        about["recollect.at"] = str(who.at)
    rows = write_blocks(out, counted(), about)
    empty = len(who) - with_list
    if isinstance(users, Path) and who.unknown_users:
        assert asked is not None
        unknown = named(len(who.unknown_users), len(asked), "users", users)
        note(f"{unknown} are not in {log.name}{such_as(who.unknown_users)}, and have no list")
    if who.repeated:
        note(f"users named again, who have one list: {who.repeated:,}")
    if empty:
        note(f"{empty:,} users have an empty list: no item is left for them")
    if json:
        print_json(
            {
                "out": str(out),
                "users": len(who),
                "rows": rows,
                "seen": seen,
                "at": who.at,
                "unknown_events": who.unknown_events,
                "unknown_users": list(who.unknown_users),
                "empty_lists": empty,
            }
        )
        return
    typer.echo(f"{rows:,} recommendations for {len(who):,} users are in {out}")
    if who.unknown_events:
        typer.echo(f"{who.unknown_events:,} events of items the model does not know were skipped", err=True)
