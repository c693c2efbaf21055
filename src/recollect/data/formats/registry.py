"""Format names to formats: every module of this folder that has `FORMATS`, and entry points of `recollect.formats`.

Which one reads a place: the one that was asked for, else the one that recognises it, else what each file is in general.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from pathlib import Path

from recollect.config import ConfigError, did_you_mean
from recollect.data import formats as here
from recollect.data.formats import files, list_cells
from recollect.data.formats.contract import Format, Place, TableFormat
from recollect.data.log import DataError
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading
from recollect.data.side_table import Side

ENTRY_POINT_GROUP = "recollect.formats"
GENERAL = ("parquet", "json", "delimited")
"""Formats of single files, asked in this order where nothing more special recognises a place; the last takes any."""


@functools.cache
def formats() -> dict[str, Format]:
    """Every format by its name, sorted by name."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(here.__path__):
        for one in getattr(importlib.import_module(f"{here.__name__}.{module.name}"), "FORMATS", ()):
            found[one.name] = one
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        found[point.name] = _checked(point.name, point.load())
    return dict(sorted(found.items()))


def get(name: str) -> Format:
    """The format of that name. ConfigError if there is none."""
    if name not in formats():
        raise ConfigError(f"no format is called {name!r}{did_you_mean(name, formats())}; see recollect data formats")
    return formats()[name]


def read(place: Place, reading: Reading, *, name: str) -> RawTable:
    """A place as a table, in the format that was asked for or that recognises it. DataError if none can."""
    if reading.format is not None:
        return get(reading.format).read(place, reading, name=name)
    special = _special(place, reading)
    table = special.read(place, reading, name=name) if special else in_general(place, reading, name)
    return list_cells.checked(table)


def holds_a_log(folder: Path) -> bool:
    """Whether a folder has a log that can be read without being told more."""
    place = Place.of(folder)
    try:
        return _special(place, Reading()) is not None or bool(_tables(place))
    except DataError:  # several logs, or several kinds of files: not for us to choose from
        return False


def side(path: Path, reading: Reading, known: str) -> Side:
    """Any table file as side data of items or users; `known`: the names that its ids' column may have, in order.

    Its encoding and what its bad rows do are as `reading` says. DataError where it is no table.
    """
    return files.side_of(path, reading, _kind_of, known)


def _special(place: Place, reading: Reading) -> Format | None:
    """The one format that recognises a place by itself; None where the user has said how its files are to be cut."""
    if reading.by_number or reading.separator is not None or reading.header is not None:
        return None
    found = [one for name, one in formats().items() if name not in GENERAL and one.recognises(place)]
    if len(found) > 1:
        raise DataError(
            f"{place}: could be read as {' or as '.join(one.name for one in found)}; say which with --format"
        )
    return found[0] if found else None


def in_general(place: Place, reading: Reading, name: str) -> RawTable:
    """A place as tables of whatever general kind its files are, with the columns that `reading` names."""
    paths = place.paths if place.folder is None else _tables(place)
    if not paths:
        raise DataError(
            f"{place}: no log in this folder; it needs CSV, TSV, JSON lines, Parquet, .inter, u.data or ratings.dat"
        )
    return files.read_files(paths, reading, _kind_of, name=name)


def _tables(place: Place) -> tuple[Path, ...]:
    """The files of a folder that are tables. DataError if they are of several kinds."""
    by_ending = {ending: one for one in _general() for ending in one.endings}
    tables = place.ending_in(tuple(by_ending))
    kinds = sorted({ending for ending in by_ending if place.ending_in((ending,))})
    if len(kinds) > 1:
        raise DataError(
            f"{place}: files of several kinds ({', '.join(kinds)}); name the ones to read, as in {place}/*{kinds[0]}"
        )
    return tables


def _kind_of(path: Path) -> TableFormat:
    special = [one for name, one in formats().items() if name not in GENERAL and isinstance(one, TableFormat)]
    return next(one for one in (*special, *_general()) if one.holds(path))


def _general() -> list[TableFormat]:
    return [one for name in GENERAL if isinstance(one := get(name), TableFormat)]


def _checked(name: str, found: object) -> Format:
    made = found() if inspect.isclass(found) else found
    missing = [part for part in ("name", "description", "recognises", "read") if not hasattr(made, part)]
    if missing:
        raise ConfigError(f"format {name!r} is registered as {found!r}, which has no {missing[0]}: see CONTRIBUTING")
    return made  # type: ignore[return-value]
