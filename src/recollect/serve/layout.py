"""A memory as bytes: the tensors of one user's state one after the other, without names, which all users share.

Half precision keeps large tensors as fp16, each user's scaled so that its largest value fits; what is small
(stabilisers, counters) and what is no fp32 stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recollect.contracts import State

HALVED_FROM = 32
"""Tensors with fewer values of a user are not halved."""

_LARGEST = 2.0**14


class Layout:
    """How the states of one model are laid out in bytes; `one` is any of its states.

    `size`: bytes of a memory. `description`: two layouts with the same description read each other's memories.
    """

    def __init__(self, one: State, *, half: bool = False) -> None:
        self._parts: list[tuple[str, torch.Size, torch.dtype, bool, int]] = []
        for name, tensor in one.items():
            cells = tensor[:1].numel()
            halved = half and tensor.dtype == torch.float32 and cells >= HALVED_FROM
            size = 4 + 2 * cells if halved else tensor.element_size() * cells
            self._parts.append((name, tensor.shape[1:], tensor.dtype, halved, size))
        self.size = sum(size for *_, size in self._parts)
        self.description = ", ".join(
            f"{name} {list(shape)} {kind} {half}" for name, shape, kind, half, _ in self._parts
        )

    def pack(self, state: State) -> list[bytes]:
        """The bytes of each user."""
        columns = []
        for name, _, _, halved, size in self._parts:
            flat = state[name].detach().cpu().reshape(state.users, -1)
            columns.append(_halve(flat) if halved else _raw(flat).reshape(state.users, size))
        rows = np.concatenate([np.zeros((state.users, 0), np.uint8), *columns], axis=1)
        return [row.tobytes() for row in rows]

    def unpack(self, rows: Sequence[bytes]) -> State:
        """The reverse of `pack`, for one user or more; without half precision bit for bit.

        Raises ValueError where the size is wrong.
        """
        if any(len(row) != self.size for row in rows):
            raise ValueError(f"a memory does not have {self.size} bytes")
        whole = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), self.size)
        tensors, begin = {}, 0
        for name, shape, dtype, halved, size in self._parts:
            part = torch.from_numpy(whole[:, begin : begin + size].copy())
            values = _double(part) if halved else part.reshape(-1).view(dtype)
            tensors[name] = values.reshape(len(rows), *shape)
            begin += size
        return State(tensors)


def _raw(flat: Tensor) -> np.ndarray:
    return flat.contiguous().view(torch.uint8).numpy()


def _halve(flat: Tensor) -> np.ndarray:
    """[B N] fp32 -> [B 4 + 2N] bytes: a scale and the scaled values."""
    scale = flat.abs().amax(dim=1, keepdim=True) / _LARGEST
    scale = torch.where(scale > 0, scale, 1.0)
    return np.concatenate([_raw(scale), _raw((flat / scale).half())], axis=1)


def _double(part: Tensor) -> Tensor:
    return part[:, 4:].contiguous().view(torch.float16).float() * part[:, :4].contiguous().view(torch.float32)
