"""A matrix (a row for each user, a column for each item) is no log: it is recognised, and told how to become one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

COLUMNS = 10
"""Columns of small numbers from which on a table is taken for a matrix."""
SHARE = 0.9
"""Of all columns, so many hold nothing but small numbers."""
LARGEST = 100
"""Ratings and counts are no larger than this."""
_TRUTHS = ("true", "false", "t", "f", "yes", "no")


def advice(sample: pl.DataFrame, ids: Sequence[str] = ()) -> str:
    """What to do with a table that looks like a matrix by some of its rows, '' if it looks like none.

    `ids`: its columns of ids, as far as they are known.
    """
    cells = [name for name in sample.columns if name not in ids]
    small = [name for name in cells if _is_small(sample[name])]
    others = [name for name in cells if name not in small]
    if len(small) < COLUMNS or len(small) < SHARE * len(cells) or len(others) > 1:
        return ""
    key = next(iter((*ids, *others)), "")
    melted = f"id_vars={'frame.columns[0]' if key == sample.columns[0] else repr(key)}, " if key else ""
    return (
        f"this looks like a matrix, with a column for each item ({len(small)} columns of small numbers), and a log has "
        f"a row for each event: in pandas, frame.melt({melted}var_name='item', value_name='rating').dropna()"
    )


def _is_small(column: pl.Series) -> bool:
    """Whether a column holds nothing but small numbers, or truths, and where there is none nothing."""
    if column.dtype == pl.Boolean:
        return True
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        return False
    given = column.drop_nulls()
    if column.dtype == pl.String:
        given = given.str.strip_chars().str.to_lowercase()
        given = given.filter(given != "").replace(dict.fromkeys(_TRUTHS, "1"))
    numbers = given.cast(pl.Float64, strict=False)
    return not numbers.null_count() and bool((numbers.is_nan() | (numbers.abs() <= LARGEST)).all())
