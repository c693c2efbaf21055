"""Kinds of events (view, cart, buy): how much each counts in training, and which of them are targets.

A shop's log is mostly views, and the question is what is bought next: views are read as context, purchases are targets.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from recollect.config import ConfigError, did_you_mean
from recollect.data.log import DataError
from recollect.data.reading import Reading


def weigh(
    frame: pl.DataFrame, kind: str | None, reading: Reading, where: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """-> each row's weight as a target of training [n] float32, and whether it may be a target [n] bool.

    Both None where the reading does not tell kinds apart. Raises ConfigError for weights that cannot be, DataError
    where a kind that is named does not occur.
    """
    if kind is None:
        if reading.targets or reading.weights:
            raise ConfigError(
                "data.kind: weights and targets are of kinds of events; name the column that holds the kind"
            )
        return None, None
    if not reading.targets and not reading.weights:
        return None, None
    bad = {name: weight for name, weight in reading.weights.items() if not 0 <= weight < np.inf}
    if bad:
        name, weight = next(iter(bad.items()))
        raise ConfigError(f"data.weights.{name}: {weight} is no weight; give 0 or more")
    column = frame[kind].cast(pl.String).str.strip_chars().fill_null("")
    known = column.value_counts(sort=True)
    names = [str(name) for name in known[kind].to_list()]
    for name in (*reading.targets, *reading.weights):
        if name not in names:
            raise DataError(f"{where}: column {kind!r} never holds {name!r}{did_you_mean(name, names[:20])}")
    unsaid = 0.0 if reading.targets and not reading.weights else 1.0
    weights = {name: reading.weights.get(name, 1.0 if name in reading.targets else unsaid) for name in names}
    targets = set(reading.targets or (name for name, weight in weights.items() if weight > 0))
    if not any(weights.values()):
        raise ConfigError("data.weights: every kind weighs 0, so there is nothing to learn; give one of them more")
    return _lookup(column, names, [weights[name] for name in names], pl.Float32), _lookup(
        column, names, [name in targets for name in names], pl.Boolean
    )


def describe_kinds(column: pl.Series, targets: np.ndarray, where: str) -> str:
    """Which kinds are asked for and which are context, with their events. DataError if no event left is asked for.

    `column`, `targets`: those of the rows that count.
    """
    counted = pl.DataFrame({"kind": column.cast(pl.String).str.strip_chars().fill_null(""), "asked": targets})
    counted = counted.group_by("kind", "asked").len().sort("len", "kind", descending=[True, False])
    shown = {
        asked: ", ".join(
            f"{name or '(nothing)'} ({events:,})" for name, one, events in counted.iter_rows() if one == asked
        )
        for asked in (True, False)
    }
    if not shown[True]:
        raise DataError(
            f"{where}: no event that is left is of a kind that is asked for; {column.name} holds {shown[False]}"
        )
    return f"kinds of {column.name}: asked for {shown[True]}" + (f"; context {shown[False]}" if shown[False] else "")


def _lookup(column: pl.Series, names: list[str], values: Iterable[object], kind: type[pl.DataType]) -> np.ndarray:
    return column.replace_strict(names, list(values), return_dtype=kind).to_numpy().copy()
