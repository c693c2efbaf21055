"""Vectors with ids come back from every file that people have them in; a file that cannot be sure of is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recollect.data.frame import Frame
from recollect.data.log import DataError
from recollect.data.vector_files import VECTOR_ENDINGS, read_vectors, write_vectors

IDS = ["b 7", "a", "ü", "12"]
VECTORS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def npz(path: Path) -> Path:
    np.savez(path.with_suffix(".npz"), ids=np.array(IDS, dtype=str), vectors=VECTORS)
    return path.with_suffix(".npz")


def npz_of_other_names(path: Path) -> Path:
    np.savez(path.with_suffix(".npz"), movies=np.array(IDS, dtype=str), emb=VECTORS.astype(np.float64))
    return path.with_suffix(".npz")


def npy_with_lines(path: Path) -> Path:
    np.save(path.with_suffix(".npy"), VECTORS)
    path.with_suffix(".ids.txt").write_text("\n".join(IDS) + "\n", encoding="utf-8")
    return path.with_suffix(".npy")


def npy_with_array(path: Path) -> Path:
    np.save(path.with_suffix(".npy"), VECTORS)
    np.save(path.with_suffix(".ids.npy"), np.array(IDS, dtype=str))
    return path.with_suffix(".npy")


def npy_with_json(path: Path) -> Path:
    np.save(path.with_suffix(".npy"), VECTORS)
    path.with_suffix(".ids.json").write_text(json.dumps(IDS))
    return path.with_suffix(".npy")


def parquet_of_lists(path: Path) -> Path:
    pl.DataFrame({"title": ["t"] * 4, "item": IDS, "embedding": VECTORS.tolist()}).write_parquet(path)
    return path.rename(path.with_suffix(".parquet"))


def parquet_of_arrays(path: Path) -> Path:
    column = pl.Series("vec", VECTORS.tolist(), dtype=pl.Array(pl.Float32, 3))
    pl.DataFrame([pl.Series("movie", IDS), column]).write_parquet(path)
    return path.rename(path.with_suffix(".parquet"))


def csv_of_columns(path: Path) -> Path:
    wide = pl.DataFrame({"item_id": IDS, **{f"d{k}": VECTORS[:, k] for k in range(3)}})
    wide.write_csv(path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def csv_as_excel_writes_it(path: Path) -> Path:
    rows = [f'{one};"{vector[0]}";{vector[1]};{vector[2]}' for one, vector in zip(IDS, VECTORS, strict=True)]
    path.with_suffix(".csv").write_text("\r\n".join(["id;x;y;z", *rows]), encoding="cp1252", newline="")
    return path.with_suffix(".csv")


def csv_without_header(path: Path) -> Path:
    rows = [f"{one},{vector[0]},{vector[1]},{vector[2]}\n" for one, vector in zip(IDS, VECTORS, strict=True)]
    path.with_suffix(".csv").write_text("".join(rows), encoding="utf-8")
    return path.with_suffix(".csv")


def csv_packed(path: Path) -> Path:
    plain = csv_of_columns(path)
    plain.with_name("v.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    return plain.with_name("v.csv.gz")


def word2vec(path: Path) -> Path:
    rows = [f"{one} {' '.join(map(repr, vector.tolist()))}" for one, vector in zip(IDS, VECTORS, strict=True)]
    path.with_suffix(".txt").write_text("\n".join(["4 3", *rows]) + "\n", encoding="utf-8")
    return path.with_suffix(".txt")


@pytest.mark.parametrize(
    "write",
    [
        npz, npz_of_other_names, npy_with_lines, npy_with_array, npy_with_json, parquet_of_lists, parquet_of_arrays,
        csv_of_columns, csv_as_excel_writes_it, csv_without_header, csv_packed, word2vec,
    ],
)  # fmt: skip
def test_what_was_written_is_read(write: Callable[[Path], Path], tmp_path: Path) -> None:
    read = read_vectors(write(tmp_path / "vectors"))
    assert read.ids.tolist() == IDS and read.width == 3
    assert read.vectors.dtype == np.float32 and np.array_equal(read.vectors, VECTORS)


def test_glove_has_no_first_line(tmp_path: Path) -> None:
    path = tmp_path / "glove.vec"
    path.write_text("a 1 2\nb 3 4\n")
    read = read_vectors(path)
    assert read.ids.tolist() == ["a", "b"] and read.vectors.tolist() == [[1, 2], [3, 4]]


def test_ids_that_are_numbers_are_written_as_such(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", ids=np.array([7, 260]), vectors=VECTORS[:2])
    assert read_vectors(tmp_path / "v.npz").ids.tolist() == ["7", "260"]
    pl.DataFrame({"id": [7.0, 260.0], "x": [1.0, 2.0]}).write_parquet(tmp_path / "v.parquet")  # once a pandas column
    assert read_vectors(tmp_path / "v.parquet").ids.tolist() == ["7", "260"]


def broken(path: Path, ids: object = None, vectors: object = None) -> Path:
    np.savez(path, ids=np.array(IDS if ids is None else ids), vectors=VECTORS if vectors is None else vectors)
    return path


def test_what_cannot_be_sure_is_refused(tmp_path: Path) -> None:
    path, bad = tmp_path / "v.npz", VECTORS.copy()
    bad[1, 2] = np.nan
    for changes, message in (
        ({"ids": IDS[:3]}, "4 vectors but 3 ids"),
        ({"ids": ["a", "b", "a", "c"]}, "id 'a' stands 2 times"),
        ({"vectors": bad}, "the vector of 'a' is not finite"),
    ):
        with pytest.raises(DataError, match=message):
            read_vectors(broken(path, **changes))
    np.save(tmp_path / "alone.npy", VECTORS)
    with pytest.raises(DataError, match=r"whose vectors are these\? .* alone\.ids\.txt"):
        read_vectors(tmp_path / "alone.npy")
    np.savez(tmp_path / "two.npz", ids=np.array(IDS), one=VECTORS, other=VECTORS)
    with pytest.raises(DataError, match="which are the vectors"):
        read_vectors(tmp_path / "two.npz")
    np.savez(tmp_path / "objects.npz", ids=np.array(IDS, dtype=object), vectors=VECTORS)
    with pytest.raises(DataError, match="holds Python objects; save ids as text"):
        read_vectors(tmp_path / "objects.npz")
    (tmp_path / "v.pt").write_bytes(b"")
    with pytest.raises(DataError, match=r"vectors are read from \.npz"):
        read_vectors(tmp_path / "v.pt")
    with pytest.raises(DataError, match="no such file of vectors"):
        read_vectors(tmp_path / "gone.npz")
    (tmp_path / "short.txt").write_text("2 3\na 1 2 3\nb 1 2\n")
    with pytest.raises(DataError, match="line 3 has no id and 3 numbers"):
        read_vectors(tmp_path / "short.txt")
    pl.DataFrame({"id": IDS, "v": [[1.0], [1.0, 2.0], [1.0], [1.0]]}).write_parquet(tmp_path / "ragged.parquet")
    with pytest.raises(DataError, match="vectors of several lengths"):
        read_vectors(tmp_path / "ragged.parquet")
    pl.DataFrame({"id": IDS, "shop": IDS, "x": [1.0] * 4}).write_csv(tmp_path / "mixed.csv")
    with pytest.raises(DataError, match="column 'shop' holds no numbers"):
        read_vectors(tmp_path / "mixed.csv")


@pytest.mark.parametrize("ending", VECTOR_ENDINGS)
@pytest.mark.parametrize("ids", [["007", "7", "é b"], [5, 17, 2**40]])
def test_what_is_written_is_read_back(ending: str, ids: list[object], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = np.array(ids, dtype=object if isinstance(ids[0], str) else np.int64)
    columns = {"item": names, "title": np.array(["a", "b", "c"], dtype=object)}
    columns |= {"vector": rng.normal(size=(3, 4)).astype(np.float32), "bias": rng.normal(size=3).astype(np.float32)}
    write_vectors(tmp_path / f"vectors{ending}", Frame(columns))
    back = read_vectors(tmp_path / f"vectors{ending}")
    assert back.ids.tolist() == [str(one) for one in ids]
    assert np.array_equal(back.vectors, columns["vector"])
