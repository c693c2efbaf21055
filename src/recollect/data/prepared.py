"""A log kept as a folder of plain .npy columns and one small JSON file: loaded in no time, by memory map, from numpy
alone.

Text is UTF-8 bytes with offsets, never pickled objects. A folder is written beside its place and renamed into it, so
that there is always a whole one or none.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recollect.config import digest
from recollect.data.log import DataError, Dropped, EventLog, Table, Vocabulary

INDEX = "log.json"
FORMAT = "recollect-log"
VERSION = 1


def is_prepared(folder: Path) -> bool:
    """True if a folder says it is a prepared log (whether it is whole is another question)."""
    try:
        return f'"{FORMAT}"' in (folder / INDEX).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def save(log: EventLog, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a log to `folder`. DataError if something is there already, unless it is a prepared log to overwrite."""
    folder = Path(folder)
    if folder.exists() and not (overwrite and is_prepared(folder)):
        what = (
            "a prepared log is there already; overwrite it or" if is_prepared(folder) else "something is there already;"
        )
        raise DataError(f"{folder}: {what} choose another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from None
    try:
        _write(log, beside / "log")
        if folder.exists():
            folder.rename(beside / "old")
        (beside / "log").rename(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from None
    finally:
        if (beside / "old").exists() and not folder.exists():
            (beside / "old").rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def load(folder: str | Path, *, verify: bool = False) -> EventLog:
    """Read a log back, its number columns memory-mapped. `verify` reads every byte and checks it against the index.

    DataError if the folder is no prepared log, is of a newer format, or is damaged.
    """
    folder = Path(folder)
    index = _index(folder)
    columns = _Reader(folder, index, verify)
    log = EventLog(
        columns.numbers("users"),
        columns.numbers("items"),
        columns.numbers("times"),
        Vocabulary(columns.any("user_ids")),
        Vocabulary(columns.any("item_ids"), first=1),
        {name: columns.any(f"value.{k}") for k, name in enumerate(index["values"])},
        columns.table("user", index["user_columns"]),
        columns.table("item", index["item_columns"]),
        clock=index["clock"],
        ties=index["ties"],
        name=index["name"],
        dropped=tuple(Dropped(*entry) for entry in index["dropped"]),
        notes=tuple(index["notes"]),
        date_order=index.get("date_order"),
        selection=index.get("selection", ""),
        weights=columns.numbers("weights") if "weights" in index["files"] else None,
        targets=columns.numbers("targets") if "targets" in index["files"] else None,
    )
    if not len(log.users) == len(log.items) == len(log.times) == index["events"]:
        raise _damaged(folder, "its columns differ in length")
    if verify and log.digest != index["digest"]:
        raise _damaged(folder, f"its digest is {log.digest}, not {index['digest']}")
    return log


def _write(log: EventLog, folder: Path) -> None:
    folder.mkdir()
    files: dict[str, dict[str, Any]] = {}

    def put(name: str, column: np.ndarray) -> None:
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, np.ascontiguousarray(column), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        files[name] = {"sha256": _sha256(folder / f"{name}.npy"), "bytes": (folder / f"{name}.npy").stat().st_size}

    for name, column in (("users", log.users), ("items", log.items), ("times", log.times)):
        put(name, column)
    for name, marks in (("weights", log.weights), ("targets", log.targets)):
        if marks is not None:
            put(name, marks)
    _put_any(put, "user_ids", log.user_ids.ids)
    _put_any(put, "item_ids", log.item_ids.ids)
    for k, column in enumerate(log.values.values()):
        _put_any(put, f"value.{k}", column)
    for side, table in (("user", log.user_table), ("item", log.item_table)):
        for k, column in enumerate({} if table is None else table.columns.values()):
            _put_any(put, f"{side}.{k}", column)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "name": log.name,
        "digest": log.digest,
        "events": len(log),
        "clock": log.clock,
        "ties": log.ties,
        "values": list(log.values),
        "user_columns": None if log.user_table is None else list(log.user_table.columns),
        "item_columns": None if log.item_table is None else list(log.item_table.columns),
        "dropped": [[entry.reason, entry.events, entry.detail] for entry in log.dropped],
        "notes": list(log.notes),
        "date_order": log.date_order,
        "selection": log.selection,
        "files": files,
    }
    with (folder / INDEX).open("w", encoding="utf-8") as file:
        json.dump({**index, "check": digest(index)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _put_any(put: Callable[[str, np.ndarray], None], name: str, column: np.ndarray) -> None:
    """A column of numbers as it is; text as bytes, offsets and, where there are any, which ones are missing."""
    if column.dtype != object:
        put(name, column)
        return
    texts = [b"" if text is None else str(text).encode("utf-8", "surrogatepass") for text in column]
    put(f"{name}.text", np.frombuffer(b"".join(texts), dtype=np.uint8))
    put(f"{name}.ends", np.cumsum([0, *map(len, texts)], dtype=np.int64))
    missing = np.array([text is None for text in column], dtype=bool)
    if missing.any():
        put(f"{name}.missing", missing)


class _Reader:
    """Columns by name, each checked against what the index says of its file."""

    def __init__(self, folder: Path, index: Mapping[str, Any], verify: bool) -> None:
        self.folder, self.files, self.verify = folder, index["files"], verify

    def numbers(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        said = self.files.get(name)
        if said is None or not path.is_file():
            raise _damaged(self.folder, f"{path.name} is missing")
        if path.stat().st_size != said["bytes"]:
            raise _damaged(self.folder, f"{path.name} has {path.stat().st_size} bytes instead of {said['bytes']}")
        if self.verify and _sha256(path) != said["sha256"]:
            raise _damaged(self.folder, f"{path.name} is not what was written")
        try:
            column = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise _damaged(self.folder, f"{path.name}: {str(error).splitlines()[0]}") from None
        return np.asarray(column)

    def any(self, name: str) -> np.ndarray:
        if name in self.files:
            return self.numbers(name)
        text, ends = self.numbers(f"{name}.text").tobytes(), self.numbers(f"{name}.ends").tolist()
        try:
            parts = [text[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(ends)]
        except UnicodeDecodeError:
            raise _damaged(self.folder, f"{name}.text.npy is not text") from None
        column = np.empty(len(parts), dtype=object)
        column[:] = parts
        if f"{name}.missing" in self.files:
            column[self.numbers(f"{name}.missing")] = None
        return column

    def table(self, side: str, names: list[str] | None) -> Table | None:
        return None if names is None else Table({name: self.any(f"{side}.{k}") for k, name in enumerate(names)})


def _index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.is_file():
        raise DataError(f"{folder}: no prepared log (there is no {INDEX} in it); prepare one from a source")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise KeyError("format")
        version = index["version"]
        if isinstance(version, int) and version > VERSION:
            raise DataError(
                f"{folder}: written in format {version}, and this version reads up to {VERSION}; upgrade recollect"
            )
        check = index.pop("check")
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise _damaged(folder, f"{INDEX} cannot be read") from None
    if check != digest(index):
        raise _damaged(folder, f"{INDEX} is not what was written")
    return index


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(f"{folder}: this prepared log is damaged ({what}); prepare it again from its source")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
