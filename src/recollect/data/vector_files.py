"""Vectors and the ids they belong to, as files that other programs take: NumPy's, or a table.

.npy holds the numbers alone, [N D] float32, and the ids stand beside it, one a line, in the order of the rows; .npz
holds `ids` and `vectors`; the tables have a column of ids and one of vectors (`data.writing`). Nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recollect.data.frame import Frame
from recollect.data.log import DataError
from recollect.data.parquet import appearing
from recollect.data.writing import ENDINGS, checked_ending

VECTOR_ENDINGS = (".npy", ".npz", *ENDINGS)


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
