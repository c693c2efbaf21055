"""What several commands ask for in the same words: the words an option can have, and how a log is described."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class OnBad(StrEnum):
    stop = "stop"
    skip = "skip"
    skip_files = "skip-files"


class Ties(StrEnum):
    file = "file"
    file_reversed = "file-reversed"
    id = "id"
    random = "random"


class Candidates(StrEnum):
    log = "log"
    table = "table"


class Seen(StrEnum):
    hidden = "hidden"
    allowed = "allowed"


class Protocol(StrEnum):
    loo = "loo"
    temporal = "temporal"


class Part(StrEnum):
    validation = "validation"
    test = "test"


class Target(StrEnum):
    first = "first"
    last = "last"
    all = "all"


SOURCE = "A file, glob (in quotes), folder, or a name such as `simulated`."
# Options of a run: what is not said (None) is left to the settings file, or to the default shown.
RunData = Annotated[str | None, typer.Option("--data", help=SOURCE)]
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
