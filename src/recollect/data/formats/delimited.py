"""CSV, TSV and other text with one row a line: the format of everything that no other one claims.

How the text is cut is `text`'s business and what a column means is `roles`'; this file puts the two together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recollect.data import matrix
from recollect.data.formats import files
from recollect.data.formats.contract import Place
from recollect.data.formats.text import aligned
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import (
    Dialect,
    detect,
    is_control,
    meant,
    name_of,
    said_by_excel,
    seldom,
    typed,
)
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.packing import ending
from recollect.data.formats.text.rows import read_rows, refuse_swallowed, sample_rows
from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import Piece, RawTable
from recollect.data.reading import NO_TIME, OnBad, Reading
from recollect.data.roles import Roles, resolve

_LOOKED_AT = 20
_MANY = 20  # columns, which a log without a header hardly has
_BRACKETED = re.compile(r"\[\d{1,2}/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d$")


class Delimited:
    """Text of any separator, with a header line or with columns by number."""

    name = "delimited"
    description = "CSV, TSV and other text, one event a line: --user, --item and --time name its columns"
    endings: tuple[str, ...] = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data")

    def recognises(self, place: Place) -> bool:
        """Whether all files have an ending of text."""
        return place.folder is None and place.paths == place.ending_in(self.endings)

    def holds(self, path: Path) -> bool:
        """True: what is no text after all is answered when it is opened."""
        return True

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The files of a place, or those of a folder with an ending of text."""
        paths = place.paths if place.folder is None else place.ending_in(self.endings)
        if not paths:
            raise DataError(f"{place}: no file in it ends in {', '.join(self.endings)}; name the file")
        return files.read_files(paths, reading, lambda _: self, name=name)

    def open(
        self, path: Path, reading: Reading, like: Sequence[str] | None = None
    ) -> tuple[Piece, Roles, Sequence[str]]:
        """-> rows, roles, names. A file without header continues one of the same width that has one."""
        text, dialect, head, note = _opened(path, reading, like)
        asked = heads.by_place(head, reading, str(path)) if like is None or head.names != tuple(like) else reading
        if not head.titled and head.names[0] == "1":
            asked = _by_number(text, dialect, head, asked)
        try:
            roles = resolve(head.names, asked, str(path), lambda: sample_rows(text, dialect, head))
        except DataError as error:
            users = (
                heads.sequences(text, dialect, 2 + (head.ends > 0)) if asked.user is None and asked.item is None else ""
            )
            raise DataError(f"{error}; {users}" if users else str(error)) from None
        ends = head.names[len(head.names) - head.ends :]
        piece = read_rows(text, dialect, head, (*roles.columns, *ends), reading.on_bad)
        piece = _without_ends(piece, ends, len(head.names) - len(ends), reading.on_bad)
        refuse_swallowed(piece, dict.fromkeys((*roles.user, *roles.item, *roles.time)), text, dialect, head)
        notes = (*piece.notes, f"{path.name}: {note}") if note else piece.notes
        unused = [name for name in head.names if name not in roles.columns]
        if unused and not head.titled and not roles.time and reading.time is None:
            shown = f"{', '.join(unused[:3])}{' ...' if len(unused) > 3 else ''}"
            notes += (
                f"{path.name}: {shown} not used; if each line is one user and all of the items: --format sequences",
            )
        return dataclasses.replace(piece, notes=notes), roles, head.names

    def table(self, path: Path, reading: Reading) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Every column of a side table."""
        plain = Reading(encoding=reading.encoding, on_bad=reading.on_bad)
        text, dialect, head, _ = _opened(path, plain, None)
        piece = read_rows(text, dialect, head, head.names, reading.on_bad)
        ends = head.names[len(head.names) - head.ends :]
        piece = _without_ends(piece, ends, len(head.names) - len(ends), reading.on_bad)
        return piece.frame, side_notes(path, piece)


def _without_ends(piece: Piece, ends: Sequence[str], width: int, on_bad: OnBad) -> Piece:
    """The rows without the columns that no header names and that are empty; a row with something there is a bad one."""
    if not ends:
        return piece
    filled = np.zeros(len(piece.frame), bool)
    for name in ends:
        filled |= (piece.frame[name].str.strip_chars().fill_null("") != "").to_numpy()
    frame = piece.frame.drop(ends)
    if not filled.any():
        return dataclasses.replace(piece, frame=frame)
    first = piece.line(int(filled.argmax()))
    if on_bad == "stop":
        raise DataError(
            f"{first}: more fields than the {width} columns of the header, while other lines only end in a separator; "
            "correct it, or leave such lines out with --on-bad skip"
        )
    kept, line = np.flatnonzero(~filled), piece.line
    dropped = (*piece.dropped, Dropped("too many fields", int(filled.sum()), f"first at {first}"))
    frame = frame.filter(pl.Series(~filled))
    return dataclasses.replace(piece, frame=frame, line=lambda row: line(int(kept[row])), dropped=dropped)


def side_notes(path: Path, piece: Piece) -> tuple[str, ...]:
    """What was left out of a side table, and how it was understood, as sentences."""
    gone = tuple(f"{path.name}: {one.events} rows left out: {one.reason}, {one.detail}" for one in piece.dropped)
    return (*gone, *piece.notes)


def _opened(path: Path, reading: Reading, like: Sequence[str] | None) -> tuple[Text, Dialect, Head, str]:
    text = open_text(path, reading.encoding)
    lines = heads.first_lines(text, _LOOKED_AT)
    skip, separator = 0, meant(reading.separator or "")
    excel = said_by_excel(lines[0][1])
    if excel is not None and len(lines) > 1:
        skip, separator = lines[0][0], separator or excel
        lines = lines[1:]
    remarks = _remarks([line for _, line in lines])
    if remarks:
        skip, lines = lines[remarks - 1][0], lines[remarks:]
    first = [line for _, line in lines]
    dialect = Dialect(separator or detect(first, ending(path)))
    if not separator:
        _refuse_seldom(text, dialect, first)
    by_blanks = not separator and dialect.separator == " " and aligned.is_aligned(first)
    if by_blanks:
        text = aligned.cut(text, lines)
    elif not separator and dialect.separator == " ":
        aligned.refuse_unclear(text, first)
    head, note = heads.find(text, dialect, reading, skip)
    note = f"{aligned.NOTE}; {note}" if by_blanks and note else aligned.NOTE if by_blanks else note
    if like is not None and not head.titled and len(like) == len(head.names) and tuple(like) != head.names:
        head, note = head.named(like), "no header line: its columns are those of the file before"
    if remarks:
        shown = f"{remarks} line{'s' if remarks > 1 else ''} of remarks at the top left out"
        note = f"{shown}; {note}" if note else shown
    return text, dialect, head, note


def _remarks(lines: Sequence[str]) -> int:
    """How many of the first lines are remarks: they begin with # or %, as in KONECT's files, and the rest does not.

    A line that is cut like those below may be a header, or a row, and stays.
    """
    count = next((place for place, line in enumerate(lines) if line[:1] not in ("#", "%")), 0)
    if not count:
        return 0
    separator = detect(lines[count:])
    width = lines[count].count(separator)
    cut = (place for place, line in enumerate(lines[:count]) if width and line.lstrip("#% ").count(separator) == width)
    return next(cut, count)


def _by_number(text: Text, dialect: Dialect, head: Head, reading: Reading) -> Reading:
    """What to take a file without header for; DataError where nobody has said which column is which."""
    columns = len(head.names)
    named = [one for one in (reading.user, reading.item, reading.time) if one not in (None, NO_TIME)]
    strange = [part for one in named if one for part in one.split(",") if part.strip() not in head.names]
    if strange:
        raise DataError(
            f"{text.path}: no column {strange[0]!r}: the first line is no header, so columns are called by number "
            f"(1 to {columns}); if it names them after all, add --header"
        )
    if columns == 1:
        raise DataError(
            f"{text.path}: one column only, and a log has two at least, of users and of items; if something else "
            "stands between them, say it with --separator"
        )
    if columns == 2 and reading.user is None and reading.item is None:
        reading = reading.but(user="1", item="2")
    if reading.user is None or reading.item is None:
        _refuse_access_log(text, dialect)
        # The first row may be a header that looks like no header, as ids of items do.
        wide = matrix.advice(sample_rows(text, dialect, head, 200)[1:], ("1",)) if columns > matrix.COLUMNS else ""
        users = heads.ONE_LINE_A_USER if columns > _MANY else heads.sequences(text, dialect)
        said = "; ".join(filter(None, (wide, users)))
        so = f", and {said}; else" if said else ", so"
        raise DataError(
            f"{text.path}: no header line{so} columns are called by number (1 to {columns}): "
            f"say which is which, for example --user 1 --item 2{' --time 3' if columns > 2 else ''}"
        )
    return reading


def _refuse_seldom(text: Text, dialect: Dialect, lines: Sequence[str]) -> None:
    """DataError where a sign that is no usual separator cuts the lines better than the one that was found.

    A control character always does; another one where only blanks were found, and fewer of them.
    """
    sign = seldom(lines)
    blanks = dialect.separator == " " and sign is not None and lines[0].count(sign) > lines[0].count(" ")
    if sign is not None and sign in lines[0] and (is_control(sign) or blanks):
        raise DataError(f"{text.path}: {name_of(sign)} seems to stand between columns; say --separator '{typed(sign)}'")


def _refuse_access_log(text: Text, dialect: Dialect) -> None:
    """DataError that names the columns of a web server's access log, as Apache and nginx write it."""
    fields = next(heads.first_records(text, dialect, 0, 1)).fields
    place = next((place for place, field in enumerate(fields) if _BRACKETED.match(field)), len(fields)) + 1
    if dialect.separator == " " and place + 1 < len(fields):
        raise DataError(
            f"{text.path}: an access log of a web server, so there is no header line; its client, request and time are "
            f"--user 1 --item {place + 2} --time {place},{place + 1} (or take another column for the user)"
        )


FORMATS = (Delimited(),)
