"""From what a person types (a file, a glob, a folder, a name) or holds (a table) to an `EventLog`.

A folder is recognised by what it holds; a name is looked up in the data folder. Nothing is ever downloaded here.
"""

from __future__ import annotations

import dataclasses
import difflib
import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recollect.config import decode
from recollect.data import prepared, published
from recollect.data.formats.text.packing import bare_name
from recollect.data.log import DataError, EventLog, Ties
from recollect.data.name_order import by_name
from recollect.data.reading import Candidates, OnBad, Reading

DATA_DIR = "RECOLLECT_DATA"
"""The environment variable that names the data folder."""
SIMULATED, SMALL, LONG_MEMORY = SIMULATED_LOGS = "simulated", "simulated-small", "simulated-long-memory"
NAMED_BY_FOLDER = ("u.data", "ratings.dat", "interactions.parquet", "behaviors.tsv")
"""Files of which every log has one of the same name: the log is called as its folder is."""


def read(
    source: Any,
    *,
    user: str | int | Sequence[str] | None = None,
    item: str | int | Sequence[str] | None = None,
    time: str | int | Sequence[str] | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    values: Sequence[str] = (),
    where: str | None = None,
    kind: str | None = None,
    targets: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    items: Any = None,
    users: Any = None,
    item_key: str | None = None,
    item_title: str | None = None,
    user_key: str | None = None,
    candidates: Candidates = "log",
    format: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    header: bool | None = None,
    on_bad: OnBad = "stop",
    ties: Ties = "file",
    keep_missing_words: bool = False,
    data_dir: str | Path | None = None,
) -> EventLog:
    """Read a log.

    `source`: a file, glob, folder or name (`ml-1m`, `simulated`), or a pandas, Polars or Arrow table. `items` and
    `users`: side tables, each a file or a table. Every other option is described in `recollect.data.reading.Reading`;
    a column may also be named by its place (an integer), a key by several columns. Raises DataError where the source
    cannot be read as asked, ConfigError for an option that cannot be.
    """
    if isinstance(source, EventLog):
        return source
    sides = {"items": items, "users": users}
    options = {
        "user": _columns(user),
        "item": _columns(item),
        "time": _columns(time),
        "time_format": time_format,
        "time_zone": time_zone,
        "values": tuple(values),
        "where": where,
        "kind": kind,
        "targets": tuple(targets),
        "weights": dict(weights or {}),
        "item_key": item_key,
        "item_title": item_title,
        "user_key": user_key,
        **{side: os.fspath(given) for side, given in sides.items() if isinstance(given, str | os.PathLike)},
        "candidates": candidates,
        "format": format,
        "encoding": encoding,
        "separator": separator,
        "header": header,
        "on_bad": on_bad,
        "ties": ties,
        "keep_missing_words": keep_missing_words,
    }
    reading = decode(Reading, options, where="")
    if not isinstance(source, str | os.PathLike):
        from recollect.data.formats.frames import read_frame
        from recollect.data.sides import with_sides

        return _read_so(with_sides(read_frame(source, reading), reading, sides).to_log(reading), reading)
    text = os.fspath(source)
    if is_simulated(text):
        _refuse_options("the simulated log", reading, sides)
        return _simulated(text)
    place, name = locate(text, data_dir)
    if isinstance(place, Path) and prepared.is_prepared(place):
        _refuse_options(f"{place}: a prepared log", reading, sides)
        return prepared.load(place)
    from recollect.data.formats import registry
    from recollect.data.formats.contract import Place
    from recollect.data.sides import with_sides

    table = with_sides(registry.read(Place.of(place), reading, name=name), reading, sides)
    return _read_so(table.to_log(reading), reading)


def _read_so(log: EventLog, reading: Reading) -> EventLog:
    """The log, and how it was read; tables beside it are not what another log would have."""
    options = reading.model_dump(exclude_defaults=True, exclude={"items", "users", "candidates"})
    return dataclasses.replace(log, reading=options, selection=reading.selection)


def _refuse_options(what: str, reading: Reading, sides: Mapping[str, Any]) -> None:
    """A log that is no file to be read any more has no options of reading; to ignore them would be silent."""
    said = [name for name in Reading.model_fields if getattr(reading, name) != getattr(Reading(), name)]
    said += [name for name, given in sides.items() if given is not None and name not in said]
    said = [name for name in said if name not in ("on_bad", "ties")]
    if said:
        raise DataError(f"{what} is read as it was kept; leave out {', '.join(said)}")


def _columns(given: str | int | Sequence[str] | None) -> str | None:
    """A role as `Reading` has it: one name, or several with commas between them."""
    if given is None or isinstance(given, str):
        return given
    return str(given) if isinstance(given, int) else ",".join(map(str, given))


def _simulated(name: str) -> EventLog:
    if name == LONG_MEMORY:
        from recollect.data.simulate.long_memory import simulate_long_memory

        return simulate_long_memory().log
    from recollect.data.simulate import world
    from recollect.data.simulate.generator import simulate

    return simulate(world.SMALL if name == SMALL else world.SimulateConfig()).log


def is_simulated(text: str) -> bool:
    """Whether a source is one of the simulated logs, and no file or folder of that name."""
    return text in SIMULATED_LOGS and not os.path.exists(text)


def is_place(text: str) -> bool:
    """Whether a source is a path or a glob from here, rather than something in the data folder."""
    return os.path.exists(os.path.expanduser(text)) or glob.has_magic(text)


def locate(text: str, data_dir: str | Path | None = None) -> tuple[Path | list[Path], str]:
    """Where a source is (a file, a folder, or the files of a glob), and what to call it."""
    path = Path(text).expanduser()
    if len(text) > 4000 or "\0" in text or not text.strip():
        shown = repr(text if len(text) < 40 else text[:40] + "...")
        raise DataError(f"{shown} is not the name of a file; give a file, a folder or the name of a log")
    if os.path.exists(path):
        return path, _name(path)
    if is_place(text):
        matches = glob.glob(os.path.expanduser(text), recursive=True)
        found = by_name(Path(one) for one in matches if os.path.isfile(one))
        if not found:
            raise DataError(f"{text}: no file matches; check the pattern (in quotes, or the shell expands it)")
        return (found if len(found) > 1 else found[0]), _common_name(found)
    folder = Path(data_dir or os.environ.get(DATA_DIR) or "data").expanduser()
    originals, converted = folder / text / "raw", folder / text
    if os.path.isdir(originals) and _readable(originals):
        return originals, text
    if os.path.exists(converted):
        return converted, _name(converted)
    if len(path.parts) > 1 or path.suffix:
        raise DataError(f"{text}: no such file or folder{_near(path)}")
    published.tell_where(text, folder)
    known = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    hint = f"; {folder} has {', '.join(known)}" if known else f"; {folder} is no data folder with logs in it"
    raise DataError(
        f"{text}: no such file, folder or named log{hint} (set --data-dir or {DATA_DIR}; or use {SIMULATED})"
    )


def _readable(folder: Path) -> bool:
    from recollect.data.formats import registry

    return prepared.is_prepared(folder) or registry.holds_a_log(folder)


def _name(path: Path) -> str:
    path = Path(os.path.abspath(path))
    folder = path if path.is_dir() else path.parent
    named_by_folder = bare_name(path) in NAMED_BY_FOLDER or (
        bare_name(path) == "ratings.csv"
        and (folder.name == "raw" or (folder / "movies.csv").exists())  # MovieLens' own
    )
    if path.is_dir() or named_by_folder:
        return (folder.parent if folder.name == "raw" else folder).name or "log"
    return bare_name(path).rsplit(".", 1)[0] or path.name


def _common_name(paths: Sequence[Path]) -> str:
    """What the names of several files have in common (`jan*` for jan1 and jan2), else the folder that holds them."""
    names = sorted({_name(path) for path in paths})
    common = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter is what is meant
    if len(names) == 1 or not common:
        return common or _name(Path(os.path.commonpath(map(os.path.abspath, paths))))
    return f"{common}*"


def _near(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"; {path.parent} is no folder either"
    near = difflib.get_close_matches(path.name, [one.name for one in path.parent.iterdir()], n=1, cutoff=0.6)
    return f"; did you mean {str(path.with_name(near[0]))!r}?" if near else "; check the path"
