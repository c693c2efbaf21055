"""Side data (titles, genres, ages) lined up with a vocabulary: row k of every column describes id k.

Numbers become float64 with nan for nothing, everything else text with None for nothing, as `Table` promises.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from recollect.data.log import Table, Vocabulary

# A number as a number is written: no leading zeros, so that a zip code or an article number stays text.
NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"


def line_up(frame: pl.DataFrame, key: str, vocabulary: Vocabulary) -> Table | None:
    """Rows of `frame` in the order of the vocabulary's ids; None if no id is described. The first of doubles counts."""
    if vocabulary.ids.dtype == object:
        keys = frame[key].cast(pl.String)
        ids = pl.Series("key", vocabulary.ids.tolist(), dtype=pl.String)
    else:
        keys = frame[key].cast(pl.Int64, strict=False)
        ids = pl.Series("key", vocabulary.ids, dtype=pl.Int64)
    rest = frame.drop(key)
    if rest.width == 0:
        return None
    renamed = rest.rename({name: f"c{k}" for k, name in enumerate(rest.columns)})
    side = renamed.with_columns(keys.alias("key")).filter(pl.col("key").is_not_null())
    side = side.unique("key", keep="first", maintain_order=True)
    lined = pl.DataFrame({"key": ids}).join(side, on="key", how="left", maintain_order="left")
    if not ids.is_in(side["key"].implode()).any():
        return None
    return Table({name: as_values(lined[f"c{k}"]) for k, name in enumerate(rest.columns)})


def as_values(column: pl.Series) -> np.ndarray:
    """One column as float64 (nan where missing) or as object text (None where missing)."""
    kind = column.dtype
    if isinstance(kind, pl.List | pl.Array):
        column = column.cast(pl.List(pl.String)).list.join("|")
    elif kind.is_numeric() or kind == pl.Boolean:
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    elif kind in (pl.Struct, pl.Object, pl.Binary):
        shown = [None if value is None else str(value) for value in column.to_list()]
        column = pl.Series(column.name, shown, dtype=pl.String)
    elif kind != pl.String:
        column = column.cast(pl.String)
    column = column.replace({"": None})
    given = column.drop_nulls()
    if len(given) and given.str.contains(NUMBER).all():
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    text = np.empty(len(column), dtype=object)
    text[:] = column.to_list()
    return text
