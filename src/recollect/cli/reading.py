"""The options that say how a log is read, the same for every command that reads one.

A command takes a parameter `reading`; `with_reading` puts the options in its place, so that each is written once.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from recollect.cli.choices import Candidates, OnBad, Ties

PANEL = "How the log is read"


def _option(*names: str, help: str, default: str | bool = False) -> Any:
    return typer.Option(*names, help=help, show_default=default, rich_help_panel=PANEL)


# What is not said (None) is left to the settings file, or to the default shown.
OPTIONS: Mapping[str, Any] = {
    "user": Annotated[
        str | None, _option("--user", help="The column of users; several as `user_id,session_id`.", default="guessed")
    ],
    "item": Annotated[str | None, _option("--item", help="The column of items.", default="guessed")],
    "time": Annotated[
        str | None,
        _option(
            "--time",
            help="The column of times, or `date,time`, or `year,month,day`; `none` takes the order of the rows.",
            default="guessed",
        ),
    ],
    "time_format": Annotated[
        str | None,
        _option(
            "--time-format",
            help="How times are written: `%d.%m.%Y %H:%M`, `day-first`, `month-first`, `unix`, `unix-ms`, `excel`.",
            default="guessed",
        ),
    ],
    "time_zone": Annotated[
        str | None,
        _option("--time-zone", help="The zone of times without an offset, as `Europe/Berlin`.", default="UTC"),
    ],
    "where": Annotated[
        str | None, _option("--where", help='Which rows are events: `"rating >= 4"`, `"event == \'buy\'"`.')
    ],
    "kind": Annotated[
        str | None, _option("--kind", help="The column that says what kind of event each is: view, cart, buy.")
    ],
    "targets": Annotated[
        str | None,
        _option("--targets", help="The kinds that are targets, as `buy,cart`; others are context.", default="all"),
    ],
    "items": Annotated[
        str | None, _option("--items", help="A file that describes the items, one a row: titles, genres, stock.")
    ],
    "users": Annotated[str | None, _option("--users", help="A file that describes the users, one a row.")],
    "item_key": Annotated[
        str | None, _option("--item-key", help="The column of the ids in the item file.", default="guessed")
    ],
    "item_title": Annotated[
        str | None, _option("--item-title", help="The column of the titles in the item file.", default="guessed")
    ],
    "user_key": Annotated[
        str | None, _option("--user-key", help="The column of the ids in the user file.", default="guessed")
    ],
    "candidates": Annotated[
        Candidates | None,
        _option("--candidates", help="Items with events, or all those of the item table.", default="log"),
    ],
    "format": Annotated[str | None, _option("--format", help="The kind of file; `recollect data formats` lists them.")],
    "encoding": Annotated[
        str | None, _option("--encoding", help="The encoding of text, as `cp1252`.", default="by content")
    ],
    "separator": Annotated[
        str | None, _option("--separator", help="What stands between columns.", default="by content")
    ],
    "header": Annotated[
        bool | None,
        _option("--header/--no-header", help="Whether the first line names the columns.", default="by content"),
    ],
    "on_bad": Annotated[
        OnBad | None,
        _option(
            "--on-bad",
            help="Rows that cannot be read: stop at the first, or skip and count; skip-files: whole files of them too.",
            default="stop",
        ),
    ],
    "ties": Annotated[
        Ties | None,
        _option(
            "--ties",
            help="What orders a user's events of one time; `file-reversed` takes each file from its last row up.",
            default="file",
        ),
    ],
    "keep_missing_words": Annotated[
        bool | None,
        _option("--keep-missing-words", help="Take NA, NULL, None, nan and - as ids like any other.", default=False),
    ],
    "data_dir": Annotated[
        Path | None, _option("--data-dir", help="Where logs are looked up by name.", default="RECOLLECT_DATA")
    ],
}


def with_reading(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every option of reading whose name it has no other use for; those that were said arrive together
    in its parameter `reading`. (`--user` of `recommend` is whom a list is for, so it names no column there.)
    """
    own = inspect.signature(command, eval_str=True)
    options = {name: option for name, option in OPTIONS.items() if name not in own.parameters}
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "reading":
            parameters.append(parameter)
            continue
        kind = inspect.Parameter.KEYWORD_ONLY if parameter.kind is parameter.KEYWORD_ONLY else parameter.kind
        parameters += [
            inspect.Parameter(name, kind, default=None, annotation=option) for name, option in options.items()
        ]

    def wrapped(**given: Any) -> None:
        said = {name: given.pop(name) for name in options}
        reading = {name: _plain(value) for name, value in said.items() if value is not None}
        if "targets" in reading:
            reading["targets"] = [part.strip() for part in reading["targets"].split(",") if part.strip()]
        command(**given, reading=reading)

    wrapped.__name__, wrapped.__doc__, wrapped.__module__ = command.__name__, command.__doc__, command.__module__
    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = typing.cast(dict[str, Any], {one.name: one.annotation for one in parameters})
    return wrapped


def expect_log(reading: Mapping[str, Any], without: str | None) -> None:
    """Raise ConfigError where options of reading were said and no log is read; `without`: what needs none, if so."""
    from recollect.config import ConfigError

    if reading and without is not None:
        said = ", ".join(f"--{name.replace('_', '-')}" for name in reading)
        raise ConfigError(f"{said}: says how a log is read, and none is read for {without}; leave it out")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else getattr(value, "value", value)
