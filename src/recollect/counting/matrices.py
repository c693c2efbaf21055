"""Sparse matrices of users and items: made from histories, cut to their largest entries, kept as named tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recollect.contracts import PAD, Histories


def counted(histories: Histories, size: int) -> sp.csr_array:
    """[U V] float64: how often each user met each item; no entry where never."""
    users = len(histories.offsets) - 1
    owner = np.repeat(np.arange(users), np.diff(histories.offsets))
    matrix = sp.coo_array((np.ones(len(owner)), (owner, histories.items)), shape=(users, size)).tocsr()
    matrix.sort_indices()
    return matrix


def met(histories: Histories, size: int) -> sp.csr_array:
    """[U V] float64: 1 where the user met the item, however often."""
    matrix = counted(histories, size)
    matrix.data[:] = 1.0
    return matrix


def counts_of(codes: np.ndarray, size: int) -> sp.csr_array:
    """codes [n N], padding anywhere -> [n size] float64: how often each occurs in its row."""
    row, place = np.nonzero(codes != PAD)
    matrix = sp.coo_array((np.ones(len(row)), (row, codes[row, place])), shape=(len(codes), size)).tocsr()
    matrix.sort_indices()
    return matrix


def keep_largest(matrix: sp.sparray, keep: int) -> sp.csr_array:
    """The `keep` largest entries of each row, as fp32 (ties: the smaller column), columns in order."""
    rows = matrix.tocsr()
    value = rows.data.astype(np.float32)
    kept = np.ones(len(value), dtype=bool)
    for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        if stop - start > keep:
            kept[start:stop] = _largest(value[start:stop], rows.indices[start:stop], keep)
    offsets = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    largest = sp.csr_array((value[kept], rows.indices[kept], offsets), shape=rows.shape)
    largest.sort_indices()
    return largest


def _largest(value: np.ndarray, column: np.ndarray, keep: int) -> np.ndarray:
    """Which of a row's entries are its `keep` largest; a partition, for a sort of all of them takes far longer."""
    least = np.partition(value, -keep)[-keep]
    kept = value > least
    tied = np.flatnonzero(value == least)
    kept[tied[np.argsort(column[tied])[: keep - kept.sum()]]] = True
    return kept


def to_tensors(name: str, matrix: sp.csr_array) -> dict[str, Tensor]:
    """The matrix as `name.offsets`, `name.items`, `name.values`: what an artifact stores."""
    return {
        f"{name}.offsets": torch.from_numpy(matrix.indptr.astype(np.int64)),
        f"{name}.items": torch.from_numpy(matrix.indices.astype(np.int32)),
        f"{name}.values": torch.from_numpy(matrix.data),
    }


def from_tensors(name: str, tensors: Mapping[str, Tensor], shape: tuple[int, int]) -> sp.csr_array:
    """What `to_tensors` stored; ValueError where it is of another shape."""
    values, items, offsets = (tensors[f"{name}.{part}"].cpu().numpy() for part in ("values", "items", "offsets"))
    if len(offsets) != shape[0] + 1 or len(values) != len(items) or items.max(initial=0) >= shape[1]:
        raise ValueError(f"{name}: the matrix is not one of {shape[0]} rows and {shape[1]} columns")
    return sp.csr_array((values, items, offsets), shape=shape)


def expect_names(model: str, tensors: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """ValueError unless the tensors are exactly those a model stores."""
    if set(tensors) != set(names):
        raise ValueError(f"{model}: expected {sorted(names)}, got {sorted(tensors)}")


def expect_tables(model: str, tensors: Mapping[str, Tensor], names: Sequence[str], size: int) -> None:
    """`expect_names`, and ValueError unless `counts`, and so the tables, are of `size` item codes."""
    expect_names(model, tensors, names)
    if len(tensors["counts"]) != size:
        raise ValueError(f"{model}: the tables are not of {size} item codes")
