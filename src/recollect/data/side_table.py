"""Side data (titles, genres, ages) lined up with a vocabulary: row k of every column describes id k.

Numbers become float64 with nan for nothing, everything else text with None for nothing, as `Table` promises.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from recollect.data import ids
from recollect.data.log import DataError, EventLog, Table, Vocabulary

# A number as a number is written: no leading zeros, so that a zip code or an article number stays text.
NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """Side data of users or items: any columns, one of them the ids."""

    frame: pl.DataFrame
    key: str
    notes: tuple[str, ...] = ()
    """What was left out of it, and how the file was understood."""
    place: str = ""
    """Where it comes from, for people."""
    named: bool = False
    """Whether the user named it: then one that describes nothing is a mistake."""


def describe(
    side: Side, vocabulary: Vocabulary, what: str, notes: list[str], events: np.ndarray | None = None
) -> Table | None:
    """`line_up`, and a note on how much of the vocabulary the table describes. `what`: user or item.

    `events` [n] item codes: with it the note also counts the ids of the vocabulary that have no events.
    """
    place = side.place or f"the {what} table"
    keys = ids.same_kind(vocabulary.ids, ids.canonical(side.frame[side.key], place))
    given = keys.drop_nulls()
    described = given.unique(maintain_order=True)
    known = pl.Series(vocabulary.ids.tolist(), dtype=described.dtype)
    found = int(known.is_in(described.implode()).sum())
    without = len(described) - found
    text = f"{place}: describes {found:,} of {len(known):,} {what}s (by {side.key})"
    if found == 0 and side.named:
        raise_if_foreign(side, place, what, known, described)
    if events is not None and (idle := int((np.bincount(events, minlength=vocabulary.size)[1:] == 0).sum())):
        text += f"; {idle:,} of them have no events and are candidates all the same"
    if without:
        text += f"; {without:,} more of its {what}s have no events"
        text += " (candidates = table makes them candidates)" if what == "item" else ""
    if again := len(given) - len(described):
        text += f"; {again:,} rows more are about {what}s that were described before, and are left out"
    notes.append(text)
    return _lined_up(side.frame.drop(side.key), keys, vocabulary)


def raise_if_foreign(side: Side, place: str, what: str, known: pl.Series, described: pl.Series) -> None:
    """A table of which not one id is in the log is the wrong table, or the wrong column."""
    if len(described) == 0 or len(known) == 0:
        return
    raise DataError(
        f"{place}: none of its ids (column {side.key!r}, such as {described[0]!r}) is among the {what}s of the log "
        f"(such as {known[0]!r}); name the column of the ids with --{what}-key"
    )


def with_candidates(log: EventLog, side: Side) -> EventLog:
    """The log with every item of the table in its vocabulary, those without events too."""
    keys = ids.canonical(side.frame[side.key], side.place or "the item table").drop_nulls().unique()
    whole = log.item_ids.ids.dtype != object and keys.dtype == pl.Int64
    kind = pl.Int64 if whole else pl.String
    mine = pl.Series(log.item_ids.ids.tolist(), dtype=pl.Int64 if log.item_ids.ids.dtype != object else pl.String)
    mine = mine.cast(kind)
    codes, known = ids.places(pl.concat([mine, keys.cast(kind)]))  # the log's own first
    return dataclasses.replace(
        log, items=(codes[log.items - 1] + 1).astype(np.int32), item_ids=Vocabulary(known, first=1)
    )


def table_of_ids(vocabulary: Vocabulary) -> pl.DataFrame:
    """A side table that has nothing but the ids of a vocabulary, in a column `item`."""
    return pl.DataFrame({"item": vocabulary.ids.tolist()})


def line_up(frame: pl.DataFrame, key: str, vocabulary: Vocabulary) -> Table | None:
    """Rows of `frame` in the order of the vocabulary's ids; None if no id is described. The first of doubles counts."""
    keys = ids.same_kind(vocabulary.ids, ids.canonical(frame[key], "the side table"))
    return _lined_up(frame.drop(key), keys, vocabulary)


def _lined_up(rest: pl.DataFrame, keys: pl.Series, vocabulary: Vocabulary) -> Table | None:
    """`line_up` of columns whose ids `keys` are of the vocabulary's kind already."""
    known = pl.Series("key", vocabulary.ids.tolist(), dtype=keys.dtype)
    if rest.width == 0:
        return None
    renamed = rest.rename({name: f"c{k}" for k, name in enumerate(rest.columns)})
    side = renamed.with_columns(keys.alias("key")).filter(pl.col("key").is_not_null())
    side = side.unique("key", keep="first", maintain_order=True)
    lined = pl.DataFrame({"key": known}).join(side, on="key", how="left", maintain_order="left")
    if not known.is_in(side["key"].implode()).any():
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
