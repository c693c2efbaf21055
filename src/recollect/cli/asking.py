"""What the commands that ask a trained model share: which items may be in a list, and whose histories answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.output import printable

if TYPE_CHECKING:
    import numpy as np

    from recollect.artifact import Artifact
    from recollect.data.log import EventLog

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained model.")]
Data = Annotated[
    str | None,
    typer.Option("--data", help="Where the log lies now, or a newer log, read as the run's.", show_default="the run's"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Allow = Annotated[
    Path | None,
    typer.Option(
        "--allow", help="Only these items: a file of ids, one a line, or a table with an item column.", metavar="FILE"
    ),
]
Deny = Annotated[Path | None, typer.Option("--deny", help="None of these items: a file as --allow.", metavar="FILE")]
Within = Annotated[
    list[str] | None,
    typer.Option(
        "--within",
        help="Only items whose column has this value, or has it in a list joined by |; several hold together.",
        metavar="COLUMN=VALUE",
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="When it is asked for, by models that use that: a date (UTC, or the run's time zone) or unix time.",
        metavar="TIME",
        show_default="as the model was evaluated",
    ),
]
OUT = "A file: .csv, .jsonl or .parquet."
SHOWN = 5
FARTHEST = 1 << 40
"""The largest time of asking, in seconds before or after 1970."""


@dataclasses.dataclass(frozen=True, slots=True)
class Restriction:
    """Which items may be in a list, as the options say it: what `allow`, `deny` and `within` of the library take."""

    allow: list[Any] | None
    deny: list[Any] | None
    within: list[tuple[str, str]]
    mask: np.ndarray | None
    """[vocabulary size] bool; None where every item may be in a list."""

    @property
    def asked(self) -> dict[str, Any]:
        return {"allow": self.allow, "deny": self.deny, "within": self.within}


def restricted(trained: Artifact, allow: Path | None, deny: Path | None, within: list[str] | None) -> Restriction:
    """Read the options; ids that the model does not know are counted and said. DataError where no item is left."""
    from recollect.data.candidates import allowed_mask, parse_within, unknown_ids
    from recollect.data.id_files import read_ids
    from recollect.data.log import DataError

    lists: list[list[Any] | None] = []
    for file in (allow, deny):
        if file is None:
            lists.append(None)
            continue
        found = read_ids(file, "item", also=column_of(trained, "item"))
        strangers = unknown_ids(trained.items, found.ids)
        if strangers:
            some = named(len(strangers), len(found.ids), "items", file)
            note(f"{some} are not known to the model{such_as(strangers)}")
        if found.empty:
            note(f"{file}: {found.empty:,} lines have no id")
        lists.append(found.ids)
    pairs = [parse_within(text) for text in within or []]
    mask = allowed_mask(trained.items, trained.item_table, allow=lists[0], deny=lists[1], within=pairs)
    if mask is not None and not mask.any():
        raise DataError("no item is left to recommend: --allow, --deny and --within together leave none")
    return Restriction(lists[0], lists[1], pairs, mask)


def user_of(log: EventLog, user: str) -> int:
    """The code of a user as typed, in a form that a file of users may have too. DataError where the log has none."""
    import difflib

    from recollect.data import id_forms
    from recollect.data.log import DataError
    from recollect.data.titles import containing

    code = id_forms.find(log.user_ids, user)
    if code is None:
        known = log.user_ids.ids.tolist()
        near = [known[place] for place in containing(user, known)]
        near = near or difflib.get_close_matches(user, map(str, known), n=SHOWN)
        some = ", ".join(printable(str(one), 20) for one in (near or known)[:SHOWN])
        which = f"; did you mean {some}?" if near else f", such as {some}"
        raise DataError(f"{log.name} has no user {printable(user)!r}; it has {len(known):,}{which}")
    return code


def history_of(log: EventLog, code: int) -> tuple[list[Any], list[int] | None]:
    """Ids (and times, if the log has a clock) of a user's events, oldest first."""
    first, last = log.offsets[code : code + 2]
    times = log.times[first:last].tolist() if log.clock else None
    return log.item_ids.decode(log.items[first:last]).tolist(), times


def seconds_of(at: str | None, trained: Artifact | None = None) -> int | None:
    """What `--at` says, in seconds; local times are in the zone that the run's log was read in, else UTC.

    ConfigError where it is no time.
    """
    from recollect.config import ConfigError
    from recollect.data.filters import parse_time

    zone = None if trained is None else trained.settings.get("data", {}).get("time_zone")
    try:
        seconds = None if at is None else parse_time(at, zone)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"--at: {error}") from None
    if seconds is not None and abs(seconds) > FARTHEST:
        raise ConfigError("--at: seconds since 1970 are expected; these look like milliseconds or less")
    return seconds


def say_when(trained: Artifact, said: int | None, told: int | None, log: EventLog | None = None) -> None:
    """What a reader should know of the time of asking: what `--at` said, and what the model was told.

    `log`: whose users are asked for; None: a typed history.
    """
    from recollect.train.learnt import moment

    if said is not None and told is None:
        if not trained.model.request_time:
            note(f"{trained.name} as it was trained does not use the time of asking, so --at changes nothing")
        else:
            whose = log.name if log is not None and not log.clock else f"the log that {trained.name} was trained on"
            note(f"{whose} has only an order, so --at changes nothing")
    elif said is None and told is not None:
        which = "the present" if log is None else f"the time of the last event in {log.name}"
        note(f"asked for at {moment(told)} UTC, {which}, since the run was evaluated with request times; see --at")


def answering_log(trained: Artifact, data: str | None, reading: dict[str, Any] | None = None) -> EventLog:
    """The log that users are answered from, with every event; what still is left out of it is said.

    `reading`: options of reading other than the run's. Of another log than the run's, all that reading has to say is
    said.
    """
    from recollect.data.filters import AGAIN
    from recollect.study.read_again import remarks_on_reading
    from recollect.study.scoring import whole_log

    log = whole_log(trained, data, reading)
    for remark in remarks_on_reading(trained, log, data):
        note(remark)
    chosen = trained.settings.get("data", {}).get("filters", {}).get("duplicates", "keep")
    last = log.dropped[-1] if log.dropped else None
    if last is not None and last.reason == AGAIN.get(chosen):
        note(f"{last.events:,} events are left out of the histories, as in training (data.filters.duplicates={chosen})")
    return log


def column_of(trained: Artifact, role: str) -> str | None:
    """What the log of the run calls its column of users, or of items, where it was said."""
    name = trained.settings.get("data", {}).get(role)
    return name if isinstance(name, str) else None


def named(count: int, of: int, what: str, file: Path) -> str:
    return f"{count:,} of the {of:,} {what} in {file}"


def such_as(ids: list[Any] | tuple[Any, ...]) -> str:
    """` (a, b, ...)`: the first few."""
    more = ", ..." if len(ids) > SHOWN else ""
    return f" ({', '.join(printable(str(one), 30) for one in ids[:SHOWN])}{more})"


def note(text: str) -> None:
    typer.echo(f"note: {text}", err=True)
