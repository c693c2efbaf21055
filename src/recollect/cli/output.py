"""How results are printed: JSON that any program can read, and tables for people.

Ids are numpy values and figures may be infinite, neither of which JSON knows.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from recollect.display import printable as printable

if TYPE_CHECKING:
    from recollect.study.tables import Table


def print_json(values: Any) -> None:
    """One JSON document on stdout; a number that is not finite is null, and a date is text."""
    typer.echo(json.dumps(_plain(values), indent=2, ensure_ascii=True, allow_nan=False, default=str))


def table(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], title: str | None = None, *, longest: int = 60
) -> None:
    """Print a table: columns are (heading, left or right). Cells are shown as they are, never read as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 110)
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, side in columns:
        made.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell, longest)) for cell in row))
    if title:
        console.print(Text(printable(title, 200), style="bold"))
    console.print(made)


def prose(text: str) -> None:
    """Print a sentence or two, broken between words where a terminal or a page of text ends."""
    from rich.console import Console
    from rich.text import Text

    Console(width=None if sys.stdout.isatty() else 110).print(Text(text))


@contextlib.contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere -> a function to be told how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def print_sheets(made: Table) -> None:
    """A table of models: accuracy, differences and cost, each with what must be known, and the protocol line."""
    from recollect.study.report import sheets

    for sheet in sheets(made):
        table(sheet.columns, sheet.rows, sheet.title)
        for note in sheet.notes:
            prose(note)
        typer.echo()
    if made.rows:
        typer.echo(made.protocol_line)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):  # before the next: it may have a field called `item`
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
