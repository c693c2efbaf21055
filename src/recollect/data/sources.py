"""From what a person types (a file, a glob, a folder, a name) or holds (a table) to an `EventLog`.

A folder is recognised by what it holds; a name is looked up in the data folder. Nothing is ever downloaded here.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recollect.config import one_of
from recollect.data import prepared
from recollect.data.log import DataError, EventLog, Ties
from recollect.data.roles import OnBad, Wanted

if TYPE_CHECKING:
    from recollect.data.raw_table import RawTable

DATA_DIR = "RECOLLECT_DATA"
"""The environment variable that names the data folder."""
SIMULATED, SMALL = "simulated", "simulated-small"


def read(
    source: Any,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    values: Sequence[str] = (),
    on_bad: OnBad = "stop",
    ties: Ties = "file",
    data_dir: str | Path | None = None,
    separator: str | None = None,
    items: Any = None,
    users: Any = None,
) -> EventLog:
    """Read a log.

    `source`: a file, glob, folder or name (`ml-1m`, `simulated`), or a pandas, Polars or Arrow table (then `items`
    and `users` may be side tables). `user`, `item`, `time`: column names, guessed where None; time "none" uses the
    order of the rows. `values`: further columns to keep. `on_bad`: what an unreadable row does. DataError otherwise.
    """
    if isinstance(source, EventLog):
        return source
    one_of("on_bad", on_bad, OnBad)
    one_of("ties", ties, Ties)
    wanted = Wanted(user, item, time, tuple(values))
    if not isinstance(source, str | os.PathLike):
        from recollect.data.formats.frames import read_frame

        return read_frame(source, wanted, items=items, users=users).to_log(ties=ties, on_bad=on_bad)
    text = os.fspath(source)
    if is_simulated(text):
        from recollect.data.simulate import world
        from recollect.data.simulate.generator import simulate

        return simulate(world.SMALL if text == SMALL else world.SimulateConfig()).log
    place, name = locate(text, data_dir)
    if isinstance(place, Path) and prepared.is_prepared(place):
        if user or item or time or values:
            raise DataError(
                f"{place}: a prepared log; its columns are fixed, so --user, --item and --time do not apply"
            )
        return prepared.load(place)
    table = _table(place, name, wanted, on_bad, separator)
    return table.to_log(ties=ties, on_bad=on_bad)


def is_simulated(text: str) -> bool:
    """Whether a source is one of the simulated logs, and no file or folder of that name."""
    return text in (SIMULATED, SMALL) and not os.path.exists(text)


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
        found = sorted(Path(one) for one in glob.glob(os.path.expanduser(text), recursive=True) if os.path.isfile(one))
        if not found:
            raise DataError(f"{text}: no file matches; check the pattern (in quotes, or the shell expands it)")
        return (found if len(found) > 1 else found[0]), _name(found[0])
    folder = Path(data_dir or os.environ.get(DATA_DIR) or "data").expanduser()
    originals, converted = folder / text / "raw", folder / text
    if os.path.isdir(originals) and _holds_a_log(originals):
        return originals, text
    if os.path.exists(converted):
        return converted, _name(converted)
    if len(path.parts) > 1 or path.suffix:
        raise DataError(f"{text}: no such file or folder{_near(path)}")
    known = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    hint = f"; {folder} has {', '.join(known)}" if known else f"; {folder} is no data folder with logs in it"
    raise DataError(
        f"{text}: no such file, folder or named log{hint} (set --data-dir or {DATA_DIR}; or use {SIMULATED})"
    )


def _table(place: Path | list[Path], name: str, wanted: Wanted, on_bad: OnBad, separator: str | None) -> RawTable:
    from recollect.data.formats import tabular

    if isinstance(place, list):
        return tabular.read_files(place, wanted, name=name, on_bad=on_bad, separator=separator)
    if place.is_dir():
        found = _recognise(place)
        if found is None:
            raise DataError(
                f"{place}: no log in this folder; it needs CSV, TSV, JSON lines, Parquet, .inter, u.data or ratings.dat"
            )
    else:
        found = [place]
    first = found[0]
    if len(found) == 1 and separator is None:
        from recollect.data.formats import movielens, recbole

        if first.name in ("u.data", "ratings.dat") or movielens.is_movielens_csv(first):
            return movielens.read_movielens(first, wanted, name=name, on_bad=on_bad)
        if first.suffix == ".inter":
            return recbole.read_recbole(first, wanted, name=name, on_bad=on_bad)
    items, users = None, None
    if len(found) == 1 and first.name == "interactions.parquet":
        items, users = (
            side if side.exists() else None for side in map(first.with_name, ("items.parquet", "users.parquet"))
        )
    return tabular.read_files(found, wanted, name=name, on_bad=on_bad, separator=separator, items=items, users=users)


def _recognise(folder: Path) -> list[Path] | None:
    """The files that hold a folder's events; None if nothing here looks like a log."""
    if prepared.is_prepared(folder):
        return [folder]
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from None
    names = {path.name for path in files}
    for known in ("u.data", "ratings.dat", "ratings.csv"):
        if known in names:
            return [folder / known]
    atomic = [path for path in files if path.suffix == ".inter"]
    if len(atomic) > 1:
        raise DataError(
            f"{folder}: {len(atomic)} .inter files ({', '.join(p.name for p in atomic[:5])}); name one of them"
        )
    if atomic:
        return atomic
    if "interactions.parquet" in names:
        return [folder / "interactions.parquet"]
    from recollect.data.formats import tabular

    tables = [path for path in files if tabular.ending(path) in tabular.ENDINGS and not path.name.startswith("README")]
    kinds = sorted({tabular.ending(path) for path in tables})
    if len(kinds) > 1:
        raise DataError(
            f"{folder}: files of several kinds ({', '.join(kinds)}); name the ones to read, as in {folder}/*.csv"
        )
    return tables or None


def _holds_a_log(folder: Path) -> bool:
    try:
        return _recognise(folder) is not None
    except DataError:  # several logs, or several kinds of files: not for us to choose from
        return False


def _name(path: Path) -> str:
    path = Path(os.path.abspath(path))
    folder = path if path.is_dir() else path.parent
    named_by_folder = path.name in ("u.data", "ratings.dat", "interactions.parquet") or (
        path.name == "ratings.csv" and (folder.name == "raw" or (folder / "movies.csv").exists())  # MovieLens' own
    )
    if path.is_dir() or named_by_folder:
        return (folder.parent if folder.name == "raw" else folder).name or "log"
    return path.name.removesuffix(".gz").rsplit(".", 1)[0] or path.name


def _near(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"; {path.parent} is no folder either"
    near = difflib.get_close_matches(path.name, [one.name for one in path.parent.iterdir()], n=1, cutoff=0.6)
    return f"; did you mean {str(path.with_name(near[0]))!r}?" if near else "; check the path"
