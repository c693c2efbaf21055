"""Plain columns to a Parquet file and back, with text beside them: the doorway for tables that are not event logs.

Ledgers and recommendation lists go through here, so that only the data layer knows which library writes Parquet.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.data.log import DataError

if TYPE_CHECKING:
    import polars as pl

# Polars is imported where it is used: training and ranking pass through this module without writing a table.


def write_columns(path: Path | str, columns: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write columns of one length; the file appears whole or not at all. dtype object is written as text.

    Raises DataError where the place cannot be written.
    """
    with appearing(Path(path)) as (_, waiting):
        as_table(columns).write_parquet(waiting, metadata=dict(metadata))


def write_blocks(
    path: Path | str, blocks: Iterable[Mapping[str, np.ndarray] | pl.DataFrame], metadata: Mapping[str, str]
) -> int:
    """`write_columns` for a table that need not fit in memory, given block by block -> rows written.

    `writing.write_blocks` writes other forms as well, by the ending of the file.

    Every block has the same columns. No blocks are an error (ValueError): a table without columns says nothing.
    """
    import polars as pl

    rows = 0
    with appearing(Path(path)) as (folder, waiting):
        parts = []
        for number, block in enumerate(blocks):
            table = as_table(block)
            rows += table.height
            parts.append(folder / f"{number}.parquet")
            table.write_parquet(parts[-1])
        if not parts:
            raise ValueError(f"{path}: nothing to write, not even the names of the columns")
        pl.scan_parquet(parts).sink_parquet(waiting, metadata=dict(metadata), maintain_order=True)
    return rows


def read_columns(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """-> columns (text as dtype object), metadata. Raises DataError where the file is missing or damaged."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not a readable Parquet file ({error.strerror or error})") from None
    return columns_in(data, path)


def columns_in(data: bytes, path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """`read_columns` of a file that was read already; `path` names it in errors."""
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(data))
        metadata = dict(pl.read_parquet_metadata(io.BytesIO(data)))
        columns = {column.name: column.to_numpy(writable=True) for column in table.get_columns()}
    # A damaged page can make Polars panic, which is no Exception.
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    return columns, metadata


def as_table(columns: Mapping[str, np.ndarray] | pl.DataFrame) -> pl.DataFrame:
    """Columns of one length; dtype object is text, masked cells are nothing, [N D] are vectors. A table stays as it
    is."""
    import polars as pl

    if isinstance(columns, pl.DataFrame):
        return columns
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    return pl.DataFrame([_series(name, column) for name, column in columns.items()])


def flat_table(columns: Mapping[str, np.ndarray] | pl.DataFrame) -> pl.DataFrame:
    """`as_table` for a file that has plain values alone: vectors as a column a dimension, of a table other lists as
    JSON."""
    import polars as pl

    if not isinstance(columns, pl.DataFrame):
        flat: dict[str, np.ndarray] = {}
        for name, column in columns.items():
            flat |= {name: column} if column.ndim == 1 else {f"{name}_{k}": part for k, part in enumerate(column.T)}
        return as_table(flat)
    nested = [column for column in columns if column.dtype.is_nested()]
    return columns.with_columns(pl.Series(column.name, list(map(_json, column)), dtype=pl.String) for column in nested)


def _json(value: Any) -> str | None:
    import polars as pl

    plain = value.to_list() if isinstance(value, pl.Series) else value
    return None if plain is None else json.dumps(plain, ensure_ascii=False, default=str)


def _series(name: str, column: np.ndarray) -> pl.Series:
    import polars as pl

    if column.dtype == object:
        return pl.Series(name, column.tolist(), dtype=pl.String)
    if isinstance(column, np.ma.MaskedArray):
        there = pl.Series(~np.ma.getmaskarray(column))
        return pl.select(pl.when(there).then(pl.Series(name, column.data)).alias(name)).to_series()
    return pl.Series(name, column)


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder for parts, and a file in it that is moved to `path` when all went well; beside it, so on one disk.

    DataError where the place cannot be written.
    """
    if path.exists() and not path.is_file():  # a device or a folder; a rename would put the table in its place
        raise DataError(f"{path}: cannot be written: it is there already, and is no file")
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield folder, folder / "whole"
        os.replace(folder / "whole", path)
    except Exception as error:
        if (reason := _of_the_disk(error)) is None:
            raise
        raise DataError(f"{path}: cannot be written: {reason}") from None
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _of_the_disk(error: Exception) -> str | None:
    """Why the place could not be written to; None for an error of another kind."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return "the disk is full; free some space and try again" if full else error.strerror or str(error)
    text = str(error)  # Polars packs what the system says into an error of its own
    if type(error).__module__.startswith("polars") and (code := re.search(r"\(os error (\d+)\)", text)):
        return _of_the_disk(OSError(int(code[1]), os.strerror(int(code[1]))))
    return None
