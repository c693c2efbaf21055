"""What several commands ask for in the same words: the words an option can have, and how a log is described."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

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


def history(text: str | None) -> int | Literal["whole"] | None:
    """How much a model may know, as typed: `whole` or `last-500`; None where nothing was said. Raises ConfigError."""
    if text is None:
        return None
    if text == "whole":
        return "whole"
    found = re.fullmatch(r"last-([1-9][0-9]*)", text)
    if found is None:
        from recollect.config import ConfigError

        raise ConfigError(f"--history: {text!r} is neither whole nor the last events, as last-500")
    return int(found[1])


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
