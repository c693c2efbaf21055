"""Files of tables: one, or several that continue each other. The first decides the columns; all must have them."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from recollect.data.formats.contract import TableFormat
from recollect.data.formats.text.packing import bare_name
from recollect.data.log import DataError
from recollect.data.name_order import unlike_letters
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import Reading
from recollect.data.roles import Roles, guess
from recollect.data.side_table import Side

NAMED = 3
"""Files that are named of those of which one thing is said."""

Kind = Callable[[Path], TableFormat]
"""Says which format a file is of."""


def read_files(
    paths: Sequence[Path],
    reading: Reading,
    kind: Kind,
    *,
    name: str,
    items: Side | None = None,
    users: Side | None = None,
) -> RawTable:
    """All files in the given order as one table. DataError if two of them are the same log."""
    refuse_copies(paths)
    pieces: list[Piece] = []
    roles: Roles | None = None
    names: Sequence[str] | None = None
    for path in paths:
        asked = reading if roles is None else roles.again(reading)
        piece, found, columns = kind(path).open(path, asked, names)
        roles, names = roles or found, names or columns
        pieces.append(piece)
    _refuse_same_rows(paths, pieces)
    assert roles is not None
    notes: tuple[str, ...] = ()
    if len(paths) > 1:
        notes = (
            f"{len(paths)} files, in the order of their names{_how(paths, reading)}",
            *_notes_by_file(paths, pieces),
        )
        pieces = [dataclasses.replace(piece, notes=()) for piece in pieces]
    return RawTable(
        name,
        pieces,
        roles,
        users=users,
        items=items,
        place=str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more",
        notes=notes,
    )


def _how(paths: Sequence[Path], reading: Reading) -> str:
    """What else to say of the order in which rows are taken."""
    swapped = unlike_letters(paths)
    numbers = "" if swapped is None else f", numbers by size ({swapped[0].name} before {swapped[1].name})"
    return numbers + (", each from its last row up" if reading.ties == "file-reversed" else "")


def _notes_by_file(paths: Sequence[Path], pieces: Sequence[Piece]) -> Iterator[str]:
    """What is said of the files, each sentence once, behind the names of those that it is said of."""
    unlike = len({path.name for path in paths}) == len(paths)
    files: dict[str, list[str]] = {}
    for path, piece in zip(paths, pieces, strict=True):
        for note in piece.notes:
            files.setdefault(note.removeprefix(f"{path.name}: "), []).append(path.name if unlike else str(path))
    for note, named in files.items():
        if len(named) == 1 and named[0] in note:
            yield note
            continue
        more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
        yield f"{', '.join(named[:NAMED])}{more}: {note}"


def _refuse_same_rows(paths: Sequence[Path], pieces: Sequence[Piece]) -> None:
    """DataError where two files hold the same rows, however each is written: packed, quoted or ended otherwise."""
    seen: dict[tuple[object, ...], list[int]] = {}
    for place, piece in enumerate(pieces):
        frame = piece.frame
        if len(frame) < 2:  # one event may well happen twice
            continue
        alike = seen.setdefault((len(frame), *map(str, frame.row(0) + frame.row(-1))), [])
        for other in alike:
            if frame.equals(pieces[other].frame):
                raise DataError(
                    f"{paths[other]} and {paths[place].name} hold the same rows: events would count twice; "
                    "leave one out"
                )
        alike.append(place)


def side_of(path: Path, reading: Reading, kind: Kind, known: str) -> Side:
    """A file of side data: its ids are in the column of a well-known name, else in the first."""
    frame, notes = kind(path).table(path, reading)
    if not frame.columns:
        raise DataError(f"{path}: the table has no columns; its ids are needed, at least")
    return Side(frame, guess(frame.columns, known) or frame.columns[0], notes)


def refuse_copies(paths: Sequence[Path]) -> None:
    """DataError where one file is another's copy, packed or not: every event would count twice."""
    for place, path in enumerate(paths):
        for other in paths[:place]:
            if path.parent == other.parent and bare_name(path) == bare_name(other):
                raise DataError(
                    f"{other.name} and {path.name} in {path.parent} seem to be one log, packed and not: its events "
                    "would count twice; name one of them"
                )
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        by_size.setdefault(path.stat().st_size if path.exists() else -1, []).append(path)
    for size, alike in by_size.items():
        for place, path in enumerate(alike if size > 0 else []):
            for other in alike[:place]:
                if path != other and filecmp.cmp(path, other, shallow=False):
                    raise DataError(
                        f"{other} and {path.name} are the same, byte for byte: events would count twice; leave one out"
                    )
