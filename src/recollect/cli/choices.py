"""What several commands ask for in the same words: the words an option can have, and how a log is described."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OnBad(StrEnum):
    stop = "stop"
    skip = "skip"


class Ties(StrEnum):
    file = "file"
    id = "id"
    random = "random"


class Seen(StrEnum):
    hidden = "hidden"
    allowed = "allowed"


class Protocol(StrEnum):
    loo = "loo"
    temporal = "temporal"


class Part(StrEnum):
    validation = "validation"
    test = "test"


SOURCE = "A file, glob (in quotes), folder, or a name such as `simulated`."
UserColumn = Annotated[str | None, typer.Option("--user", help="The column of users.", show_default="guessed")]
ItemColumn = Annotated[str | None, typer.Option("--item", help="The column of items.", show_default="guessed")]
TimeColumn = Annotated[
    str | None,
    typer.Option("--time", help="The column of times; `none` takes the order of the rows.", show_default="guessed"),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where logs are looked up by name.", show_default="RECOLLECT_DATA"),
]
ON_BAD = "Rows that cannot be read: stop at the first, or skip and count them."
TIES = "What orders a user's events of one time."
# Options of a run: what is not said (None) is left to the settings file, or to the default shown.
RunData = Annotated[str | None, typer.Option("--data", help=SOURCE)]
RunOnBad = Annotated[OnBad | None, typer.Option("--on-bad", help=ON_BAD, show_default="stop")]
RunTies = Annotated[Ties | None, typer.Option("--ties", help=TIES, show_default="file")]
RunSeen = Annotated[
    Seen | None,
    typer.Option(
        "--seen",
        help="Whether items a user already had can be answers; `allowed` for data with repeats.",
        show_default="hidden",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, as path=value; may be given often.", metavar="PATH=VALUE"),
]
