"""State: the memory of a batch of users, as a value. Second file of the contract.

It is passed in and returned, never kept on the model, so that it can be sliced by user, stacked, moved and stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load as _load_bytes
from safetensors.torch import save as _save_bytes
from torch import Tensor


class State(Mapping[str, Tensor]):
    """The memory of a batch of users: a flat, immutable mapping of named tensors, first axis the user.

    Parts are named with dots (`long.0.cell`); `part` and `join` let a block own its corner of the mapping.
    """

    __slots__ = ("_tensors",)

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        if not self._tensors:
            return "State of nothing"
        width = max(map(len, self._tensors))
        lines = [f"State of {self.users:,} users, {self.bytes_per_user:,} bytes each"]
        for name, tensor in self._tensors.items():
            kind = str(tensor.dtype).removeprefix("torch.")
            lines.append(f"  {name:<{width}}  {list(tensor.shape[1:])} {kind}")
        return "\n".join(lines)

    @property
    def users(self) -> int:
        return next(iter(self._tensors.values())).shape[0]

    @property
    def bytes_per_user(self) -> int:
        return sum(t.element_size() * t[:1].numel() for t in self._tensors.values())

    def map(self, change: Any) -> State:
        """Apply one function to every tensor."""
        return State({name: change(tensor) for name, tensor in self._tensors.items()})

    def rows(self, index: Any) -> State:
        """The users named by `index`: a slice, a list, or a tensor of row numbers or of booleans."""
        return self.map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> State:
        return self.map(lambda tensor: tensor.to(device))

    def detach(self) -> State:
        """Cut off from the graph: where truncated back-propagation stops."""
        return self.map(lambda tensor: tensor.detach())

    def part(self, prefix: str) -> State:
        """The tensors named `prefix.*`, under their shorter names."""
        start = prefix + "."
        return State({n[len(start) :]: t for n, t in self._tensors.items() if n.startswith(start)})

    @staticmethod
    def join(parts: Mapping[str, Mapping[str, Tensor] | Tensor]) -> State:
        """The reverse of `part`: tensors keep their name, mappings get their key as a prefix."""
        flat: dict[str, Tensor] = {}
        for name, value in parts.items():
            if isinstance(value, Tensor):
                flat[name] = value
            else:
                flat.update({f"{name}.{inner}": tensor for inner, tensor in value.items()})
        return State(flat)

    @staticmethod
    def stack(states: Sequence[State]) -> State:
        """Users of several states in one, in order."""
        return State({name: torch.cat([state[name] for state in states]) for name in states[0]})

    def to_bytes(self) -> bytes:
        """safetensors bytes; the same state comes back from `from_bytes`, bit for bit."""
        return _save_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors.items()})

    @staticmethod
    def from_bytes(data: bytes) -> State:
        return State(_load_bytes(data))
