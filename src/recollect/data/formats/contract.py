"""What a format is: a name, how its files are recognised, and how they become a `RawTable`.

A format is a module of this folder with a tuple `FORMATS`, or an object behind an entry point of `recollect.formats`.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import polars as pl

from recollect.data.formats.text.packing import bare_name, ending
from recollect.data.log import DataError
from recollect.data.name_order import by_name
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import Roles


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a source is: one file, the files of a pattern, or a folder with the files that lie in it."""

    paths: tuple[Path, ...]
    folder: Path | None = None

    @classmethod
    def of(cls, found: Path | Sequence[Path]) -> Place:
        """The place of a file, of several, or of a folder. DataError for a folder that cannot be read."""
        if not isinstance(found, Path):
            return cls(tuple(found))
        if not found.is_dir():
            return cls((found,))
        try:
            files = by_name(path for path in found.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise DataError(f"{found}: cannot be read ({error.strerror or error})") from None
        return cls(tuple(files), found)

    def named(self, *patterns: str) -> tuple[Path, ...]:
        """The files whose name, without the ending of a packing, fits one of the patterns."""
        return tuple(p for p in self.paths if any(fnmatch.fnmatch(bare_name(p), pattern) for pattern in patterns))

    def ending_in(self, endings: Sequence[str]) -> tuple[Path, ...]:
        """The files with one of these endings (packed or not), without those that are about the folder."""
        return tuple(p for p in self.paths if ending(p) in endings and not p.name.startswith("README"))

    def __str__(self) -> str:
        if self.folder is not None:
            return str(self.folder)
        return str(self.paths[0]) if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"


class Format(Protocol):
    """One way in which logs are kept."""

    name: str
    """What `--format` calls it."""
    description: str
    """One line for `recollect data formats`."""

    def recognises(self, place: Place) -> bool:
        """Whether a place holds this, by names and first bytes. It never raises, and is never sure without reason."""
        ...

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The log. DataError with file, line and remedy where it cannot be read."""
        ...


@runtime_checkable
class TableFormat(Protocol):
    """A format whose files are tables with columns: several continue each other, and one may be a side table."""

    name: str
    description: str
    endings: tuple[str, ...]
    """Endings of its files, in lower case."""

    def holds(self, path: Path) -> bool:
        """Whether a file is of this kind, by its name and first bytes."""
        ...

    def open(
        self, path: Path, reading: Reading, like: Sequence[str] | None = None
    ) -> tuple[Piece, Roles, Sequence[str]]:
        """-> rows, roles, names of all columns. `like`: the columns of the file before, for one without a header."""
        ...

    def table(self, path: Path, reading: Reading) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """-> every column of a side table, and notes on what was left out of it."""
        ...


def beside(path: Path, *names: str) -> Path | None:
    """The first file of these names in the folder of `path`, packed or not; None if there is none."""
    for name in names:
        for found in sorted(path.parent.glob(f"{name}*")):
            if bare_name(found) == name and found.is_file():
                return found
    return None
