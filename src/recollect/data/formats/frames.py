"""Tables that are already in memory: pandas, Polars, Arrow and whatever else narwhals can look at.

The one doorway for narwhals; only the columns that are needed are taken out of the caller's table.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import polars as pl

from recollect.data.formats import list_cells
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import guess, resolve
from recollect.data.side_table import Side

SAMPLE = 1000
"""Rows that are looked at where names do not decide."""


def read_frame(table: Any, reading: Reading, *, name: str = "table") -> RawTable:
    """An events table of any kind narwhals knows."""
    if reading.format not in (None, list_cells.FORMAT):
        raise DataError(f"{name}: a table in memory has no format but lists; leave format={reading.format!r} out")
    frame = _opened(table, name)
    if frame.columns and all(column.isdigit() for column in frame.columns) and not (reading.user and reading.item):
        raise DataError(
            f"{name}: its columns are called {', '.join(frame.columns[:5])}: say which is which, for example "
            f"user={frame.columns[0]}, item={frame.columns[min(1, len(frame.columns) - 1)]}"
        )
    roles = resolve(frame.columns, reading, name, lambda: _taken(frame.head(SAMPLE), frame.columns))
    taken = _taken(frame, roles.columns)
    raw = RawTable(
        name,
        [Piece(taken, lambda row: f"{name} row {row + 1}")],
        roles,
    )
    if reading.format == list_cells.FORMAT:
        return list_cells.explode(raw)
    return list_cells.checked(raw)


def side_of_frame(table: Any, names: str, where: str) -> Side:
    """A table as side data; its ids are in the column of a name that is known, else in the first."""
    frame = _opened(table, where)
    if not frame.columns:
        raise DataError(f"{where}: the table has no columns; its ids are needed, at least")
    return Side(_taken(frame, frame.columns), guess(frame.columns, names) or frame.columns[0], place=where)


def _opened(table: Any, where: str) -> nw.DataFrame[Any]:
    table = _with_text_names(table, where)
    try:
        frame = nw.from_native(table)
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"{where}: two columns have one name ({str(error).splitlines()[-1]}); rename one") from None
    except TypeError:
        raise DataError(
            f"{where}: a {type(table).__name__} is no table; give pandas, Polars, Arrow or a file"
        ) from None
    return frame.collect() if isinstance(frame, nw.LazyFrame) else frame


def _with_text_names(table: Any, where: str) -> Any:
    """A pandas table whose columns are called 0, 1, 2 (or anything but text), with names of text instead.

    An index that has a name is a column like others: `set_index("timestamp")` takes no times away.
    """
    if not hasattr(table, "set_axis") or not hasattr(table, "columns"):
        return table
    levels = [name for name in table.index.names if name is not None and name not in table.columns]
    if levels and table.columns.nlevels == 1:
        table = table.reset_index(level=levels)
    if all(isinstance(name, str) for name in table.columns):
        return table
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where}: two columns are called {twice!r}; rename one of them")
    return table.set_axis(names, axis=1)


def _taken(frame: nw.DataFrame[Any], columns: Any) -> pl.DataFrame:
    native = frame.to_native()
    if isinstance(native, pl.DataFrame):
        return native.select(columns)
    return pl.DataFrame([_column(frame[name]).alias(name) for name in columns])


def _column(series: nw.Series[Any]) -> pl.Series:
    """One column by plain numpy or Python values: going by Arrow would ask pandas users for pyarrow."""
    kind = series.dtype
    if isinstance(kind, nw.Datetime):
        utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else series
        taken = pl.Series(utc.to_numpy().astype("datetime64[us]"))
        return taken.dt.replace_time_zone("UTC") if kind.time_zone else taken
    if (kind.is_integer() or kind.is_float()) and not series.is_null().any():
        return pl.Series(series.to_numpy())
    values = [None if value is None or _is_nothing(value) else value for value in series.to_list()]
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:  # an object column of many kinds is text
        values = [None if value is None else str(value) for value in values]
    try:
        return pl.Series(values, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):  # moments with a zone and without, say
        return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


def _is_nothing(value: Any) -> bool:
    """True for the many ways of saying nothing: NaN, NaT, NA. None of them equals itself, and NA will not even say."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"
