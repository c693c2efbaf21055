"""Vectors with the ids they belong to, in files: those of a model written for others, those of others read for a model.

`.npz` with arrays `ids` and `vectors`; `.npy` with the ids in a file beside it, one a line (`vectors.ids.txt`), or as
an array (`vectors.ids.npy`); tables with a column of ids and one column of lists or one a dimension; text as word2vec,
fastText and GloVe write it (`.txt`, `.vec`). What is written can be read back. Nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recollect.data.formats.text import packing
from recollect.data.frame import Frame
from recollect.data.log import DataError
from recollect.data.parquet import appearing
from recollect.data.writing import ENDINGS, checked_ending

if TYPE_CHECKING:
    import polars as pl

ID_NAMES = ("item", "item_id", "itemid", "id", "ids", "key", "word", "movieid", "movie_id", "product_id", "asin")
"""What a column or an array of ids is called."""
VECTOR_NAMES = ("vectors", "vector", "embeddings", "embedding", "emb")
VECTOR_ENDINGS = (".npy", ".npz", *ENDINGS)
"""What vectors are written to."""
READ_ENDINGS = (".npz", ".npy", ".parquet", ".csv", ".tsv", ".jsonl", ".txt", ".vec")
BESIDE = ("title", "bias")
"""Columns that `write_vectors` puts beside the vectors, and that are no part of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Vectors:
    """ids: object of str [N], each once; vectors: float32 [N D], all finite."""

    ids: np.ndarray
    vectors: np.ndarray

    @property
    def width(self) -> int:
        return int(self.vectors.shape[1])


def read_vectors(path: str | Path) -> Vectors:
    """Read vectors and their ids. Raises DataError, which says what is wrong with the file and what would do."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"{path}: no such file of vectors")
    ending = path.suffix.lower()
    if ending in packing.PACKED and packing.ending(path) in (".csv", ".tsv"):
        ending = packing.ending(path)
    if ending not in READ_ENDINGS:
        raise DataError(
            f"{path}: vectors are read from {', '.join(READ_ENDINGS)}, not {ending or 'a file without ending'}"
        )
    try:
        if ending == ".npz":
            ids, vectors = _npz(path)
        elif ending == ".npy":
            ids, vectors = _read_ids(path), np.load(path, allow_pickle=False)
        elif ending in (".txt", ".vec"):
            ids, vectors = _text(path)
        else:
            ids, vectors = _table(path, ending)
    except DataError:
        raise
    except (ValueError, OSError, EOFError) as error:
        pickled = "pickled" in str(error) or "allow_pickle" in str(error)
        hint = "it holds Python objects; save ids as text: np.array(ids, dtype=str)" if pickled else _first(error)
        raise DataError(f"{path}: cannot be read ({hint})") from None
    return _checked(path, ids, vectors)


def _checked(path: Path, ids: np.ndarray, vectors: np.ndarray) -> Vectors:
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.number):
        raise DataError(f"{path}: expected numbers of shape [items, width], got {vectors.dtype} {list(vectors.shape)}")
    if len(ids) != len(vectors):
        raise DataError(f"{path}: {len(vectors):,} vectors but {len(ids):,} ids")
    names = np.array([_name(one) for one in ids.tolist()], dtype=object)
    ((often, times),) = Counter(names.tolist()).most_common(1) if len(names) else [("", 0)]
    if times > 1:
        raise DataError(f"{path}: id {often!r} stands {times} times; keep one vector an item")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise DataError(f"{path}: the vector of {names[~finite][0]!r} is not finite")
    return Vectors(names, vectors.astype(np.float32))


def _name(one: Any) -> str:
    if isinstance(one, bytes):
        return one.decode("utf-8", "replace")
    return str(int(one)) if isinstance(one, float) and one.is_integer() else str(one)


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        matrices = [name for name in file.files if file[name].ndim == 2]
        lists = [name for name in file.files if file[name].ndim == 1]
        vectors, ids = _one_of(path, "vectors", matrices, VECTOR_NAMES), _one_of(path, "ids", lists, ID_NAMES)
        return file[ids], file[vectors]


def _one_of(path: Path, what: str, found: list[str], usual: tuple[str, ...]) -> str:
    """The name of the only one, or of the one with a usual name."""
    named = [name for name in found if name.lower() in usual]
    for choice in (found, named):
        if len(choice) == 1:
            return choice[0]
    there = ", ".join(found) or "nothing of that shape"
    raise DataError(f"{path}: which are the {what}? It has {there}; call them {what!r}")


def _read_ids(path: Path) -> np.ndarray:
    candidates = [path.with_suffix(ending) for ending in (".ids.npy", ".ids.txt", ".txt", ".ids.json")]
    for beside in candidates:
        if not beside.is_file():
            continue
        if beside.suffix == ".npy":
            return np.load(beside, allow_pickle=False).reshape(-1)
        text = beside.read_text(encoding="utf-8-sig")
        return np.array(json.loads(text) if beside.suffix == ".json" else text.splitlines(), dtype=object)
    raise DataError(
        f"{path}: whose vectors are these? Put the ids in the same order, one a line, into {candidates[1].name} beside "
        "it, or save both: np.savez('vectors.npz', ids=np.array(ids, dtype=str), vectors=vectors)"
    )


def _text(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """word2vec's text: a line `items width` first, or not; then `id number number ...`. An id may have blanks."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    head = lines[0].split() if lines else []
    said = int(head[1]) if len(head) == 2 and all(word.isdigit() for word in head) else None
    rows = [line.rstrip() for line in (lines[1:] if said else lines) if line.strip()]
    width = said or (len(rows[0].split()) - 1 if rows else 0)
    ids, vectors = list[str](), np.zeros((len(rows), width), dtype=np.float32)
    for number, row in enumerate(rows):
        one, *values = row.rsplit(" ", width) if width else [row]
        if len(values) != width or not width:
            raise DataError(f"{path}: line {number + 1 + bool(said)} has no id and {width} numbers")
        ids.append(one)
        vectors[number] = [float(value) for value in values]
    return np.array(ids, dtype=object), vectors


def _table(path: Path, ending: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of ids, and one column of lists or one column of numbers a dimension."""
    import polars as pl

    from recollect.data.formats import registry
    from recollect.data.reading import Reading

    try:
        if ending == ".parquet":
            table = pl.read_parquet(path, glob=False)
        elif ending == ".jsonl":
            table = pl.read_ndjson(path, infer_schema_length=None)
        else:  # all text: 007 is not 7
            table = registry.side(path, Reading(), "").frame
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: cannot be read ({_first(error)})") from None
    table = table.drop([name for name in BESIDE if name in table.columns])
    lists = [name for name, kind in table.schema.items() if isinstance(kind, pl.List | pl.Array)]
    if lists:
        column = _one_of(path, "vectors", lists, VECTOR_NAMES)
        others = [name for name in table.columns if name != column]
        rows = table[column].to_list()
        widths = {0 if row is None else len(row) for row in rows}
        if len(widths) > 1:
            raise DataError(f"{path}: vectors of several lengths ({min(widths)} to {max(widths)})")
        return _ids(path, table, others), np.array(rows, dtype=np.float64)
    numbers = table.with_columns(_numbers(column) for column in table if column.dtype == pl.String)
    usual = [name for name in table.columns if name.lower() in ID_NAMES]
    text = [name for name, kind in numbers.schema.items() if not kind.is_numeric()]
    ids = _one_of(path, "ids", usual or text or table.columns[:1], ID_NAMES)
    if strange := [name for name in text if name != ids]:
        raise DataError(f"{path}: column {strange[0]!r} holds no numbers; keep the ids and the vectors only")
    return np.array(table[ids].to_list(), dtype=object), numbers.drop(ids).to_numpy()


def _numbers(column: pl.Series) -> pl.Series:
    """Text as numbers, if all of it is; else as it is."""
    import polars as pl

    found = column.cast(pl.Float64, strict=False)
    return found if found.null_count() == column.null_count() else column


def _ids(path: Path, table: pl.DataFrame, names: list[str]) -> np.ndarray:
    return np.array(table[_one_of(path, "ids", names, ID_NAMES)].to_list(), dtype=object)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def ids_beside(path: Path) -> Path:
    """Where the ids of a .npy file stand: `vectors.ids.txt` for `vectors.npy`."""
    return path.with_suffix(".ids.txt")


def write_vectors(path: Path | str, frame: Frame) -> list[Path]:
    """A frame whose first column are ids and whose column `vector` [N D] are their vectors -> the files written.

    A column `bias` goes into the table or the .npz; beside a .npy it is `vectors.bias.npy`. Raises ConfigError for
    another ending, DataError where a file cannot be written or an id is more than a line.
    """
    path = Path(path)
    ending = checked_ending(path, VECTOR_ENDINGS)
    if ending in ENDINGS:
        frame.write(path)
        return [path]
    ids, table = frame[frame.columns[0]], frame["vector"]
    bias = frame["bias"] if "bias" in frame.columns else None
    if ending == ".npz":
        plain = np.array(ids.tolist(), dtype=str) if ids.dtype == object else ids
        with appearing(path) as (_, waiting), waiting.open("wb") as file:
            if bias is None:
                np.savez(file, ids=plain, vectors=table)
            else:
                np.savez(file, ids=plain, vectors=table, bias=bias)
        return [path]
    lines = [str(one) for one in ids.tolist()]
    broken = next((one for one in lines if one.splitlines() != [one]), None)
    if broken is not None:
        raise DataError(f"{path}: the id {broken!r} is not one line, as {ids_beside(path).name} needs; write .parquet")
    with appearing(ids_beside(path)) as (_, waiting):
        waiting.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    parts = {path: table} | ({} if bias is None else {path.with_suffix(".bias.npy"): bias})
    for place, array in parts.items():
        with appearing(place) as (_, waiting), waiting.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    return [path, ids_beside(path), *list(parts)[1:]]
