"""A table that is handed to the caller: columns of NumPy inside, a frame of pandas, Polars or Arrow when asked for.

With `data/formats` a doorway for narwhals: a caller's pandas is only ever reached through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.config import ConfigError
from recollect.data import parquet
from recollect.data.log import DataError
from recollect.data.writing import write_blocks

if TYPE_CHECKING:
    import polars as pl


class Frame:
    """Columns of one length by name. Masked arrays have nothing where they are masked; [N D] are vectors.

    `further`: columns that were given, and stand behind as they were, without those that have a name of `columns`.
    """

    def __init__(self, columns: Mapping[str, np.ndarray], further: pl.DataFrame | None = None) -> None:
        self._columns = dict(columns)
        self._further = None if further is None else further.drop(self._columns, strict=False)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return [*self._columns, *(() if self._further is None else self._further.columns)]

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._columns or self._further is None or name not in self._further:
            return self._columns[name]
        return self._further[name].to_numpy()

    def __iter__(self) -> Iterator[str]:
        """The names of the columns."""
        return iter(self.columns)

    def __len__(self) -> int:
        """How many rows."""
        return len(next(iter(self._columns.values()), ()))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row, as plain values; None where there is nothing."""
        lists = [column.tolist() for column in self._columns.values()]
        if self._further is not None:
            lists += [column.to_list() for column in self._further]
        return (dict(zip(self.columns, values, strict=True)) for values in zip(*lists, strict=True))

    def to_polars(self) -> pl.DataFrame:
        made = parquet.as_table(self._columns)
        return made if self._further is None else made.hstack(self._further)

    def to_pandas(self) -> Any:
        """A pandas DataFrame. ConfigError where pandas is not installed."""
        import narwhals as nw

        plain = {name: list(c) if c.ndim > 1 else _unmasked(c) for name, c in self._columns.items()}
        if self._further is not None:
            plain |= {column.name: column.to_list() for column in self._further}
        try:
            return nw.from_dict(plain, backend="pandas").to_native()
        except ImportError:
            raise ConfigError("to_pandas needs pandas: pip install pandas") from None

    def to_arrow(self) -> Any:
        """A pyarrow Table. ConfigError where pyarrow is not installed; `__arrow_c_stream__` needs no library."""
        try:
            return self.to_polars().to_arrow()
        except ImportError:
            raise ConfigError("to_arrow needs pyarrow: pip install pyarrow") from None

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow stream interface: what pyarrow, DuckDB, pandas and others take a table by."""
        return self.to_polars().__arrow_c_stream__(requested_schema)

    def write(self, path: str | Path, about: Mapping[str, str] | None = None) -> int:
        """To a file, as its ending says: .csv, .jsonl or .parquet -> rows. Errors as `data.writing.write_blocks`."""
        return write_blocks(path, [self._columns if self._further is None else self.to_polars()], about)

    def __repr__(self) -> str:
        return f"{self._head()}\n{self.to_polars()}"

    def _repr_html_(self) -> str:
        return f"<p>{self._head()}</p>{self.to_polars()._repr_html_()}"

    def _head(self) -> str:
        return f"{type(self).__name__} of {len(self):,} rows"


def split_columns(table: Any, names: Sequence[str], what: str) -> tuple[tuple[list[Any], ...], pl.DataFrame | None]:
    """A caller's table of any kind -> its columns of these names, as plain values, and a table of the others, None if
    there are none. DataError, naming `what`, where a column is not there or another is of no kind that can be kept."""
    import narwhals as nw

    try:
        frame = nw.from_native(table)
    except TypeError:
        raise DataError(f"{what}: a {type(table).__name__} is no table; give pandas, Polars, Arrow or a file") from None
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{what}: no column {name!r}; there are {', '.join(map(repr, frame.columns[:20]))}")
    columns, others = tuple(frame[name].to_list() for name in names), frame.drop(names)
    try:
        return columns, others.to_polars() if others.columns else None
    except Exception as error:  # of whatever kind the table is
        why = str(error).splitlines()[0]
        raise DataError(
            f"{what}: columns beside {' and '.join(names)} cannot be kept ({why}); leave them out"
        ) from None


def _unmasked(column: np.ndarray) -> np.ndarray:
    """Masked numbers as floats with nan, which is how pandas says nothing."""
    if not isinstance(column, np.ma.MaskedArray):
        return column
    if not column.mask.any():
        return column.data
    plain = column.data.astype(np.float64)
    plain[column.mask] = np.nan
    return plain
