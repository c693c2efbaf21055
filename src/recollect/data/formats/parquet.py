"""Parquet files, and the folder of `interactions.parquet` with `items.parquet` and `users.parquet` beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recollect.data.formats import files, misnamed
from recollect.data.formats.contract import Place
from recollect.data.formats.text.packing import ending
from recollect.data.log import DataError
from recollect.data.raw_table import Piece, RawTable, shorten
from recollect.data.reading import Reading
from recollect.data.roles import ITEM_NAMES, USER_NAMES, Roles, resolve

_MAGIC = b"PAR1"
EVENTS = "interactions.parquet"


class Parquet:
    """Parquet, told by its ending or its first bytes."""

    name = "parquet"
    description = "Parquet files: --user, --item and --time name their columns"
    endings: tuple[str, ...] = (".parquet", ".pq")

    def recognises(self, place: Place) -> bool:
        """Whether all files are Parquet."""
        return place.folder is None and all(map(self.holds, place.paths))

    def holds(self, path: Path) -> bool:
        """By the ending, or by the four bytes that every Parquet file begins with."""
        return ending(path) in self.endings or _begins(path) == _MAGIC

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The files of a place, or the Parquet files of a folder."""
        paths = place.paths if place.folder is None else place.ending_in(self.endings)
        if not paths:
            raise DataError(f"{place}: no Parquet file in it")
        return files.read_files(paths, reading, lambda _: self, name=name)

    def open(
        self, path: Path, reading: Reading, like: Sequence[str] | None = None
    ) -> tuple[Piece, Roles, Sequence[str]]:
        """-> rows, roles, names of all columns."""
        if path.exists() and path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty; it should be a Parquet file")
        try:
            with path.open("rb") as file:  # by handle: a path with a bracket in it would be taken for a pattern
                names = list(pl.read_parquet_schema(file))
        except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
            raise _unreadable(path, error) from None
        roles = resolve(names, reading, str(path), lambda: _frame(path, None, rows=1000))
        return Piece(_frame(path, list(roles.columns)), lambda row: f"{path} row {row + 1}"), roles, names

    def table(self, path: Path, reading: Reading) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Every column of a side table."""
        return _frame(path, None), ()


class Interactions:
    """A folder of three tables: the events, and what describes their items and users."""

    name = "interactions"
    description = "a folder with interactions.parquet, and items.parquet and users.parquet beside it"

    def recognises(self, place: Place) -> bool:
        """Whether the folder has that file, or the file itself is named."""
        return any(path.name == EVENTS for path in place.paths) and (place.folder is not None or len(place.paths) == 1)

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The events, with the side tables that are there."""
        parquet = Parquet()
        path = next((one for one in place.paths if one.name == EVENTS), None)
        if path is None:
            raise DataError(f"{place}: no {EVENTS} in it")
        sides = {}
        for side, known in (("items", ITEM_NAMES), ("users", USER_NAMES)):
            beside = path.with_name(f"{side}.parquet")
            sides[side] = files.side_of(beside, reading, lambda _: parquet, known) if beside.exists() else None
        return files.read_files([path], reading, lambda _: parquet, name=name, **sides)


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _frame(path: Path, columns: list[str] | None, rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, n_rows=rows, glob=False)
    # A damaged page can make Polars panic, which is no Exception.
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> DataError:
    if _begins(path) != _MAGIC and path.is_file():
        misnamed.refuse(path, "Parquet")
    reason = shorten(str(error).splitlines()[0] if str(error) else type(error).__name__, 100)
    return DataError(f"{path}: not a whole Parquet file ({reason}); it may be cut short or damaged: fetch it again")


FORMATS = (Parquet(), Interactions())
