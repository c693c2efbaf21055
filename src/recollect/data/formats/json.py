"""JSON: one object a line, one list of objects, or lines that are Python's dictionaries (as the Steam reviews are).

Polars reads lines all at once, and its rows are counted against the lines; whatever it refuses is read one by one.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recollect.data.formats import files, misnamed
from recollect.data.formats.contract import Place
from recollect.data.formats.text.opening import Text, open_text
from recollect.data.formats.text.packing import beginning, ending
from recollect.data.log import DataError, Dropped
from recollect.data.raw_table import Piece, RawTable, shorten
from recollect.data.reading import OnBad, Reading
from recollect.data.roles import Roles, resolve

_OBJECT = (b'{"', b"{'", b"{u'", b'{u"')
_PYTHON = (b"{'", b"{u'", b'{u"')
_BEGINNING = 4096
PYTHON_NOTE = "lines are Python's dictionaries (single quotes), not JSON"

_HIGH, _LOW = rb"\\u[dD][89aAbB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F]"
_LONE = re.compile(_HIGH + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb")" + _LOW)
_HALF = re.compile("[\ud800-\udfff]")


class Json:
    """JSON lines, a list of objects, or Python's dictionaries one a line."""

    name = "json"
    description = "JSON: one object a line, a list of objects, or Python dictionaries one a line"
    endings: tuple[str, ...] = (".jsonl", ".ndjson", ".json")

    def recognises(self, place: Place) -> bool:
        """Whether all files are JSON."""
        return place.folder is None and all(map(self.holds, place.paths))

    def holds(self, path: Path) -> bool:
        """By the ending, or by an object at the beginning."""
        if ending(path) in self.endings:
            return True
        first = b"".join(beginning(path, 200).removeprefix(b"\xef\xbb\xbf").split())
        return first.startswith(_OBJECT) or (first[:1] == b"[" and first[1:].startswith(_OBJECT))

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The files of a place, or the JSON files of a folder."""
        paths = place.paths if place.folder is None else place.ending_in(self.endings)
        if not paths:
            raise DataError(f"{place}: no file in it ends in {', '.join(self.endings)}")
        return files.read_files(paths, reading, lambda _: self, name=name)

    def open(
        self, path: Path, reading: Reading, like: Sequence[str] | None = None
    ) -> tuple[Piece, Roles, Sequence[str]]:
        """-> rows, roles, the keys that any object has."""
        text = open_text(path, reading.encoding)
        if not any(line.lstrip()[:1] in (b"{", b"[") for line in text.data[:_BEGINNING].split(b"\n")):
            misnamed.refuse(path, "JSON")
        quick = _all_at_once(text, reading)
        if quick is not None:
            return quick
        objects = _one_by_one(text, reading.on_bad)
        names = list(dict.fromkeys(key for one in objects.rows for key in one))
        roles = resolve(names, reading, str(path), lambda: _as_frame(objects.rows[:1000], names))
        objects.answer_halves(roles.columns, reading.on_bad)
        return objects.piece(_as_frame(objects.rows, roles.columns)), roles, names

    def table(self, path: Path, reading: Reading) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Every key of a side table as a column."""
        objects = _one_by_one(open_text(path, reading.encoding), reading.on_bad)
        names = list(dict.fromkeys(key for one in objects.rows for key in one))
        objects.answer_halves(names, reading.on_bad)
        piece = objects.piece(_as_frame(objects.rows, names))
        gone = tuple(f"{path.name}: {one.events} rows left out: {one.reason}, {one.detail}" for one in piece.dropped)
        return piece.frame, (*gone, *piece.notes)


class Objects:
    """The objects of a file, and where each stands."""

    def __init__(self, text: Text, unit: str) -> None:
        self.path, self.notes, self.unit = text.path, list(text.notes), unit
        self.rows: list[dict[str, object]] = []
        self.places: list[int] = []
        self.bad: list[int] = []
        self.halves: list[int] = []
        self._escaped = _has_halves(text.data)

    def answer_halves(self, names: Sequence[str], on_bad: OnBad) -> None:
        """Leave out objects with half a sign in one of the columns; DataError at the first, unless bad ones are to be
        skipped."""
        if not self._escaped:
            return
        kept = []
        for place, row in enumerate(self.rows):
            half = next((name for name in names if _HALF.search(_as_text(row.get(name)) or "")), None)
            if half is None:
                kept.append(place)
                continue
            if on_bad == "stop":
                raise DataError(
                    f"{self.path} {self.unit} {self.places[place]}: {half!r} holds half of a sign "
                    f"({_as_text(row[half])!a}), which is no text; correct it, or use --on-bad skip"
                )
            self.halves.append(self.places[place])
        self.rows, self.places = [self.rows[place] for place in kept], [self.places[place] for place in kept]

    def piece(self, frame: pl.DataFrame) -> Piece:
        """The rows of a frame made of these objects, with what was left out."""
        path, places, unit = self.path, self.places, self.unit
        dropped = tuple(
            Dropped(reason, len(bad), f"first at {path} {unit} {bad[0]}")
            for reason, bad in (("not a JSON object", self.bad), ("half of a sign", self.halves))
            if bad
        )
        return Piece(frame, lambda row: f"{path} {unit} {places[row]}", dropped, tuple(self.notes))


def _all_at_once(text: Text, reading: Reading) -> tuple[Piece, Roles, Sequence[str]] | None:
    """Lines of JSON by Polars; None where it refuses them or does not have a row for each."""
    data = text.data
    if data[:4096].lstrip()[:1] == b"[" or _has_halves(data):
        return None
    try:
        lazy = pl.scan_ndjson(data, infer_schema_length=None)
        schema = lazy.collect_schema()
        names = schema.names()
        if all(kind.is_nested() for kind in schema.dtypes()) and data.rstrip().count(b"\n") == 0:
            _refuse_whole(text, json.loads(data))
        roles = resolve(names, reading, str(text.path), lambda: lazy.head(1000).collect())
        frame = lazy.select(roles.columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if len(frame) != lines and len(frame) != sum(1 for line in data.split(b"\n") if line.strip()):
        return None
    if len(frame) == 1 and any(kind.is_nested() for kind in frame.dtypes):
        _refuse_whole(text, json.loads(data))
    path, encoding = text.path, text.asked or None

    def line(row: int) -> str:
        again = open_text(path, encoding).data.split(b"\n")
        filled = [number for number, one in enumerate(again, 1) if one.strip()]
        return f"{path} line {filled[row]}"

    return Piece(frame, line, (), text.notes), roles, names


def _has_halves(data: bytes) -> bool:
    """Whether half of a sign may be escaped in JSON, as by a program that cut a text inside of it."""
    return (b"\\ud" in data or b"\\uD" in data) and _LONE.search(data) is not None


def _one_by_one(text: Text, on_bad: OnBad) -> Objects:
    """Every object by itself, to find what is none. DataError at the first, unless `on_bad` is skip."""
    if text.data[:4096].lstrip()[:1] == b"[":
        return _of_a_list(text, on_bad)
    whole = _as_one_object(text)
    if whole is not None:
        _refuse_whole(text, whole)
    objects = Objects(text, "line")
    python = text.data[:4096].lstrip().startswith(_PYTHON)
    for number, raw in enumerate(text.data.split(b"\n"), 1):
        if not raw.strip():
            continue
        line = raw.decode("utf-8", "replace").strip().rstrip(",")
        value, problem = _parsed(line, python)
        if isinstance(value, dict):
            objects.rows.append(value)
            objects.places.append(number)
        elif on_bad == "stop":
            if line in ("{", "}") or "}{" in line.replace(" ", ""):
                problem = "objects do not stand on lines of their own"
                raise DataError(
                    f"{text.path} line {number}: {problem}; write one a line, as by jq -c . {text.path.name}"
                )
            raise DataError(
                f"{text.path} line {number}: {problem} ({shorten(repr(line))}); write one object a line, or use "
                "--on-bad skip"
            )
        else:
            objects.bad.append(number)
    if not objects.rows:
        raise DataError(
            f"{text.path}: none of its {len(objects.bad)} lines is a JSON object; give JSON lines, or say what it is "
            "with --format"
        )
    if python:
        objects.notes.append(f"{text.path.name}: {PYTHON_NOTE}")
    return objects


def _parsed(line: str, python: bool = False) -> tuple[object, str]:
    """-> the value of a line, and what is wrong with it if it is no object. `python`: it may be a dictionary of its."""
    try:
        return json.loads(line), "not a JSON object"
    except ValueError:
        if not python:
            return None, "not JSON"
    try:
        return ast.literal_eval(line), "not a JSON object"
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None, "not JSON, nor a whole dictionary of Python (single quotes)"


def _of_a_list(text: Text, on_bad: OnBad) -> Objects:
    try:
        values = json.loads(text.data)
    except ValueError as error:
        values = _as_python(text)
        if values is not None:
            return _of_values(text, values, on_bad, f"{text.path.name}: a list of Python's (single quotes), not JSON")
        first = text.data.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")
        if isinstance(_parsed(first)[0], list):
            raise DataError(
                f"{text.path} line 1: each line is a list without names of columns ({shorten(first, 40)}); write "
                'objects, as in {"user": ..., "item": ..., "time": ...}, or the same as CSV'
            ) from None
        where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"{text.path} {where}a list that is not whole JSON ({shorten(str(error))}); it may be cut short, then "
            "fetch it again, or have a comma too many: write one object a line"
        ) from None
    return _of_values(text, values, on_bad)


def _as_python(text: Text) -> list[object] | None:
    """The file as one list of Python's; None if it is none."""
    if not text.data[:4096].lstrip()[1:].lstrip().startswith(_PYTHON):
        return None
    try:
        value = ast.literal_eval(text.data.decode().strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _of_values(text: Text, values: list[object], on_bad: OnBad, note: str = "") -> Objects:
    objects = Objects(text, "entry")
    objects.notes += [note] if note else []
    for number, value in enumerate(values, 1):
        if isinstance(value, dict):
            objects.rows.append(value)
            objects.places.append(number)
        elif on_bad == "stop":
            raise DataError(f"{text.path} entry {number}: not a JSON object ({shorten(repr(value))}); or --on-bad skip")
        else:
            objects.bad.append(number)
    if not objects.rows:
        raise DataError(f"{text.path}: a JSON list without objects; each event is an object with its user and item")
    return objects


def _as_one_object(text: Text) -> dict[str, object] | None:
    """The file as one object over several lines; None if its first line is an object already, or it is none at all."""
    first = text.data[:65536].lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").strip().rstrip(",")
    if not first.startswith("{") or isinstance(_parsed(first)[0], dict):
        return None
    try:
        value = json.loads(text.data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refuse_whole(text: Text, value: dict[str, object]) -> None:
    """DataError for one object that is the whole file: a log in it has to be taken out first."""
    inner = [key for key, one in value.items() if isinstance(one, list) and one and isinstance(one[0], dict)]
    if inner:
        raise DataError(
            f"{text.path}: one object, with a list of objects in {inner[0]!r}; write that list alone, or one "
            "object a line"
        )
    if value and all(isinstance(one, dict | list) for one in value.values()):
        raise DataError(
            f"{text.path}: one object of columns, as pandas writes; write it with to_json(orient='records', lines=True)"
        )


def _as_frame(rows: Sequence[dict[str, object]], names: Sequence[str]) -> pl.DataFrame:
    columns = {name: [_whole(_as_text(row.get(name))) for row in rows] for name in names}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))


def _whole(text: str | None) -> str | None:
    """A text that may be written: half of a sign, in a column that is only looked at, stands as one that is unknown."""
    return text if text is None or text.isascii() else _HALF.sub("\ufffd", text)


def _as_text(value: object) -> str | None:
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return None
    return json.dumps(value, ensure_ascii=False, default=str)


FORMATS = (Json(),)
