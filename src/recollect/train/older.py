"""Training that starts from the weights of an older run: item rows are matched by id, all else is taken as it is.

Which tensors have a row an item is found by building the model, without memory, for one item more: whatever model it
is, the axes that grow are those of the items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from recollect.artifact import Artifact
from recollect.config import ConfigError, Settings, decode, plain
from recollect.contracts import PAD, Catalog, Network, Recommender
from recollect.data.log import Vocabulary

SHOWN = 3
"""How many ids are shown as examples."""


def start_from(model: Network, name: str, items: Vocabulary, older: Artifact) -> Iterator[str]:
    """Put the older weights into a model of the same name -> what was done, a line each.

    items: those of the log that is trained on now. Rows of items that the older run did not know stay as they are; rows
    of items that are gone are left out. Raises ConfigError where the models or the shapes of their settings differ.
    """
    if older.name != name:
        raise ConfigError(f"{older.folder}: a {older.name}, whose weights are no start for {name}")
    assert isinstance(older.model, Network)
    config: Settings = older.model.config
    before, now = shapes(type(model), config, older.items.size), shapes(type(model), model.config, older.items.size)
    if before != now:
        raise ConfigError(f"{older.folder}: {_culprit(type(model), config, model.config, older.items.size)}")
    axes = item_axes(type(model), model.config, items.size)
    known = list(_matched(older.items, items))
    if not known:
        raise ConfigError(f"{older.folder}: none of its {len(older.items):,} items is in this log")
    there, here = (torch.tensor([PAD, *codes]) for codes in zip(*known, strict=True))
    given = older.model.state_dict()
    started = {}
    for key, fresh in model.state_dict().items():
        if (axis := axes.get(key)) is None:
            started[key] = given[key]
        else:
            rows = given[key].index_select(axis, there.to(given[key].device)).to(fresh)
            started[key] = fresh.clone().index_copy_(axis, here.to(fresh.device), rows)
    model.load_state_dict(started)
    fresh_items, gone = len(items) - len(known), len(older.items) - len(known)
    yield f"weights of {older.folder}: {len(known):,} items have their rows from there, {fresh_items:,} are new"
    if gone:
        kept = {code for code, _ in known}
        lost = [older.items.ids[code - 1] for code in range(1, older.items.size) if code not in kept]
        some = ", ".join(map(str, lost[:SHOWN])) + (", ..." if gone > SHOWN else "")
        yield f"left out: {gone:,} items of {older.folder} that are not in this log ({some})"
    for path, old, new in differences(plain(config), plain(model.config)):
        yield f"model.{path}: {old} there, {new} now"


def shapes(kind: type[Recommender], config: Settings, size: int) -> dict[str, torch.Size]:
    """The shape of every weight of a network for `size` item codes, none of them made."""
    with torch.device("meta"):
        made: Any = kind(config, Catalog(size))  # type: ignore[call-arg]
    return {key: tensor.shape for key, tensor in made.state_dict().items()}


def item_axes(kind: type[Recommender], config: Settings, size: int) -> dict[str, int]:
    """Name of a weight -> its axis of items, for those that have one."""
    one, more = shapes(kind, config, size), shapes(kind, config, size + 1)
    axes = {}
    for key in one:
        grown = [axis for axis, (a, b) in enumerate(zip(one[key], more[key], strict=True)) if a != b]
        if len(grown) > 1:
            raise ConfigError(f"{key} has {len(grown)} axes of items, so no older weights can be put into it")
        if grown:
            axes[key] = grown[0]
    return axes


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of every setting that differs; `unset` where there is none."""
    for key in sorted({*old, *new}):
        a, b = old.get(key, "unset"), new.get(key, "unset")
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from differences(a, b, f"{path}{key}.")
        elif a != b:
            yield f"{path}{key}", a, b


def _matched(older: Vocabulary, items: Vocabulary) -> Iterator[tuple[int, int]]:
    """(older code, code now) of every item of both; ids are compared as they are written."""
    now = {str(one): items.first + place for place, one in enumerate(items.ids.tolist())}
    for place, one in enumerate(older.ids.tolist()):
        if str(one) in now:
            yield older.first + place, now[str(one)]


def _culprit(kind: type[Recommender], old: Settings, new: Settings, size: int) -> str:
    """Which of the settings that differ changes the shapes of weights, in words."""
    wanted = shapes(kind, old, size)
    found = []
    for path, before, now in differences(plain(old), plain(new)):
        try:
            alone = decode(kind.Config, _with(plain(old), path.split("."), now), where="model")
            changes = shapes(kind, alone, size) != wanted
        except (ConfigError, ValueError):  # it does not go without another one that differs too
            changes = True
        if changes:
            found.append(f"model.{path} is {before} there and {now} now")
    told = "; ".join(found) or "its settings are others"
    return f"{told}: weights of another shape; leave that setting as it was, or train from fresh weights"


def _with(values: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The values with one of them, however deep, set; `unset` takes it away."""
    key, *deeper = path
    if deeper:
        return {**values, key: _with(values[key], deeper, value)}
    rest = {name: one for name, one in values.items() if name != key}
    return rest if value == "unset" else {**rest, key: value}
