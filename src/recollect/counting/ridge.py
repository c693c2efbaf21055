"""Weighted ridge regression for many rows at once: a user's vector given the items' vectors, or the other way about.

Source: Hu, Koren & Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets", eq. 4 and 5.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recollect.counting.scoring import rows_at_once


def padded(rows: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """rows [b V] -> columns [b L] and weights [b L] of their entries; column 0 of weight 0 beyond each row's last."""
    lengths = np.diff(rows.indptr)
    filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
    columns, weights = np.zeros(filled.shape, np.int64), np.zeros(filled.shape, np.float32)
    columns[filled], weights[filled] = rows.indices, rows.data
    return columns, weights


def ridge(rows: sp.csr_array, table: np.ndarray, *, confidence: float, l2: float) -> np.ndarray:
    """rows [n V] of weights w, table [V D] of vectors y -> x [n D], the best of each row.

    Least is sum_v (1 + confidence) w_v (1 - x.y_v)^2 + (1 - w_v) (x.y_v)^2 + l2 |x|^2. An entry of 1 is the source's
    event, p = 1 with c = 1 + confidence; no entry its p = 0 with c = 1; one of .3 counts as .3 of that and .7 of this.
    """
    width = table.shape[1]
    everywhere = table.T @ table + l2 * np.eye(width, dtype=table.dtype)
    right = (1 + confidence) * (rows @ table)  # [n D]
    lengths = np.diff(rows.indptr)
    order = np.argsort(-lengths, kind="stable")  # rows of like length share a block, so that little is padding
    found = np.zeros((rows.shape[0], width), table.dtype)
    start = 0
    while start < len(order):
        block = order[start : start + rows_at_once(max(lengths[order[start]], width) * width)]
        columns, weights = padded(rows[block])
        vectors = table[columns]  # [b L D]
        more = np.matmul((vectors * (confidence * weights)[..., None]).transpose(0, 2, 1), vectors)  # [b D D]
        found[block] = np.linalg.solve(everywhere + more, right[block, :, None])[..., 0]
        start += len(block)
    return found
