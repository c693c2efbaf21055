"""A table to a file whose ending says its form (CSV, JSON lines, Parquet): block by block, whole or not at all.

Recommendation lists, scores, vectors and the events of a service leave through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recollect.config import ConfigError
from recollect.data import parquet
from recollect.data.log import DataError

if TYPE_CHECKING:
    import polars as pl

ENDINGS = (".csv", ".jsonl", ".parquet")

Columns = Mapping[str, np.ndarray]
"""A block of a table: columns of one length. Text has dtype object, None for nothing; masked numbers are nothing too;
[N D] are vectors."""


def checked_ending(path: Path | str, endings: tuple[str, ...] = ENDINGS) -> str:
    """The ending of a file that is to be written, in lower case. ConfigError where it is none of `endings`.

    To be asked before the work whose result goes into the file.
    """
    found = Path(path).suffix.lower()
    if found not in endings:
        known = f"{', '.join(endings[:-1])} or {endings[-1]}"
        what = f"the ending {found!r} is not known" if found else "it has no ending"
        raise ConfigError(f"{path}: {what}; the form is chosen by it: {known}")
    return found


def write_blocks(
    path: Path | str,
    blocks: Iterable[Columns | pl.DataFrame],
    about: Mapping[str, str] | None = None,
    *,
    separator: str = ",",
    header: bool = True,
    encoding: str = "utf-8",
) -> int:
    """Write a table that need not fit in memory, given block by block, in the form that the ending says -> rows.

    Every block has the same columns; a table of Polars is one too. Numbers read back as the same bits.

    - .csv: a header, UTF-8, fields quoted where they must be; a column of vectors `v` becomes `v_0`, `v_1`, ...,
      another list JSON; `separator` and `header` say otherwise
    - .jsonl: one object a line, vectors as lists, null also for numbers that are not finite
    - .parquet: vectors as lists; `about`, words on the table, is kept in it (the other forms have no place for it)

    `encoding` is that of the two forms of text. Raises ConfigError for another ending, DataError where the file cannot
    be written (what was there before is still there then), ValueError for no blocks at all: a table without columns
    says nothing.
    """
    ending = checked_ending(path)

    def csv(block: Columns | pl.DataFrame, first: bool) -> str:
        return parquet.flat_table(block).write_csv(include_header=header and first, separator=separator)

    try:
        if ending == ".parquet":
            return parquet.write_blocks(path, blocks, about or {})
        return _write_text(Path(path), blocks, csv if ending == ".csv" else _json_lines, encoding)
    except UnicodeEncodeError as error:
        where = error.object if error.encoding == "utf-8" else error.object[error.start : error.end]
        name = "UTF-8" if error.encoding == "utf-8" else encoding
        raise DataError(f"{path}: {where!a} is no text in {name}; correct that id or title") from None


def _write_text(
    path: Path,
    blocks: Iterable[Columns | pl.DataFrame],
    text_of: Callable[[Columns | pl.DataFrame, bool], str],
    encoding: str,
) -> int:
    """`text_of` gives the lines of a block, and is told whether it is the first."""
    rows = number = 0
    with parquet.appearing(path) as (_, waiting), waiting.open("w", encoding=encoding, newline="") as file:
        for number, block in enumerate(blocks, 1):
            file.write(text_of(block, number == 1))
            rows += len(next(iter(block.values()))) if isinstance(block, Mapping) else len(block)
        if number == 0:
            raise ValueError(f"{path}: nothing to write, not even the names of the columns")
    return rows


def _json_lines(block: Columns | pl.DataFrame, first: bool) -> str:
    return parquet.as_table(block).write_ndjson()
