"""`recollect models`: which models there are, and what every setting of one of them means.

Read from the classes themselves, so that what is listed is what is accepted.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recollect.cli.output import print_json, table

if TYPE_CHECKING:
    from pydantic import BaseModel


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model, to see its settings.", show_default=False)
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="The settings of a run instead: data, split, train, evaluate.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """List the models, or every setting of one: name, type, default, meaning.

    A setting is changed with `--set`, as in `recollect train xlstm-lsr --data ratings.csv --set model.width=128`.
    """
    from recollect.registry import model_class, names

    if run:
        from recollect.study.settings import RunSettings

        rows = [row for row in describe(RunSettings) if not row["path"].startswith("model")]
        _show(rows, "Settings of a run, beside those of its model", json)
    elif name is not None:
        kind = model_class(name)
        about = _first_line(kind)
        rows = [*describe(kind.Config, "model."), *_vectors(kind)]
        _show(rows, f"{name}: {about}" if about else name, json)
    else:
        found = [(one, model_class(one)) for one in names()]
        if json:
            print_json([{"name": one, "kind": _kind(kind), "about": _first_line(kind)} for one, kind in found])
            return
        columns = [("model", "left"), ("kind", "left"), ("what it is", "left")]
        table(columns, [[one, _kind(kind), _first_line(kind)] for one, kind in found], longest=200)
        typer.echo(
            "counting: fitted in one pass; carried: a memory of constant size; window: the last events, re-read."
        )
        typer.echo("Settings of one: recollect models NAME; of training, data and split: recollect models --run")


def describe(kind: type[BaseModel], prefix: str = "") -> Iterator[dict[str, Any]]:
    """One row a setting, those of nested sections under their dotted path."""
    for field, about in kind.model_fields.items():
        inner = _section(about.annotation)
        if inner is not None:
            yield from describe(inner, f"{prefix}{field}.")
            continue
        required = about.is_required()
        yield {
            "path": f"{prefix}{field}",
            "type": spell(about.annotation),
            "default": None if required else about.get_default(call_default_factory=True),
            "required": required,
            "meaning": " ".join((about.description or "").split()),
        }


def _vectors(kind: type) -> Iterator[dict[str, Any]]:
    """Of a network: the setting of training that is said of the model as well."""
    from recollect.contracts import Network
    from recollect.train.settings import INIT_ITEMS, TrainSettings

    if issubclass(kind, Network) and INIT_ITEMS not in kind.Config.model_fields:
        row = next(row for row in describe(TrainSettings, "model.") if row["path"] == f"model.{INIT_ITEMS}")
        yield {**row, "meaning": f"{row['meaning']} The same as train.{INIT_ITEMS}."}


def spell(annotation: Any) -> str:
    """A type as people write it: `a | b | c`, `int or unset`."""
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(map(str, typing.get_args(annotation)))
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " or ".join("unset" if one is type(None) else spell(one) for one in typing.get_args(annotation))
    if typing.get_args(annotation):
        return str(annotation).replace("typing.", "")
    return {"str": "text", "bool": "true | false"}.get(annotation.__name__, annotation.__name__)


def _show(rows: list[dict[str, Any]], title: str, json: bool) -> None:
    if json:
        print_json(rows)
        return
    if not rows:
        typer.echo(f"{title}\nIt has no settings.")
        return
    columns = [("setting", "left"), ("type", "left"), ("default", "left"), ("meaning", "left")]
    cells = [[row["path"], row["type"], _default(row), row["meaning"]] for row in rows]
    table(columns, cells, title, longest=400)


def _default(row: dict[str, Any]) -> str:
    if row["required"]:
        return "(must be given)"
    value = row["default"]
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _section(annotation: Any) -> type[BaseModel] | None:
    from pydantic import BaseModel

    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _kind(kind: type) -> str:
    known = ("Counting", "Carried", "Window")
    return next((one.__name__.lower() for one in kind.__mro__ if one.__name__ in known), "recommender")


def _first_line(kind: type) -> str:
    """What the module that defines it opens with."""
    import sys

    text = sys.modules[kind.__module__].__doc__ or kind.__doc__ or ""
    return text.strip().split("\n\n")[0].replace("\n", " ").strip()
