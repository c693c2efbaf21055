"""The memories in this process: a cache of users' states, one tensor per name, so that a batch is one gather.

The least recently used ones are evicted. Those that changed since they were saved are returned then, so that the caller
can save them. Losing one costs only the time to make it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

from recollect.contracts import State
from recollect.serve.stores.contract import Position

FIRST_ROWS = 256
"""Rows allocated at first; they are doubled as needed."""

MOST_ROWS = 1 << 20
"""Users in the cache at most, however small their memories are."""


Unsaved = tuple[Sequence[str], State, Sequence[Position]]
"""Users, their states, their positions."""


class MemoryCache:
    """States by user id. `one`: any state of the model, for its shapes. `limit_bytes`: what all states may take."""

    def __init__(self, one: State, limit_bytes: int) -> None:
        self.capacity = max(1, min(MOST_ROWS, limit_bytes // max(1, one.bytes_per_user)))
        self._rows = one.map(lambda tensor: tensor.new_zeros(min(FIRST_ROWS, self.capacity), *tensor.shape[1:]))
        self._row_of: OrderedDict[str, int] = OrderedDict()  # least recently used first
        self._free = list(range(self._rows.users))
        self._positions: dict[str, Position] = {}
        self._changed: dict[str, None] = {}  # an ordered set

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def unsaved(self) -> int:
        """How many changed since they were saved."""
        return len(self._changed)

    def position(self, user: str) -> Position | None:
        """How far the user's memory has read; None where it is not in the cache."""
        return self._positions.get(user)

    def get(self, users: Sequence[str]) -> State:
        """A copy of the states of users who are in the cache."""
        for user in users:
            self._row_of.move_to_end(user)
        return self._rows.rows(torch.tensor([self._row_of[user] for user in users], dtype=torch.int64))

    def put(
        self, users: Sequence[str], state: State, positions: Sequence[Position], *, changed: bool = True
    ) -> Unsaved | None:
        """Insert or replace the states of different users, at most `capacity` of them -> the unsaved ones evicted."""
        users, positions = users[: self.capacity], positions[: self.capacity]
        state = state.rows(slice(0, self.capacity))
        for user in users:
            if user in self._row_of:
                self._row_of.move_to_end(user)
        evicted = self._make_room(sum(user not in self._row_of for user in users))
        new = [user for user in users if user not in self._row_of]
        taken = dict(zip(new, self._free[len(self._free) - len(new) :], strict=True))
        rows = torch.tensor([taken[user] if user in taken else self._row_of[user] for user in users], dtype=torch.int64)
        for name, tensor in self._rows.items():
            tensor[rows] = state[name].to(tensor.dtype)
        # Registered only now: had a copy failed, no user would point to a row without their state.
        del self._free[len(self._free) - len(new) :]
        self._row_of |= taken
        self._positions |= zip(users, positions, strict=True)
        if changed:
            self._changed |= dict.fromkeys(users)
        return evicted

    def drop(self, user: str) -> None:
        """Remove a user, saved or not."""
        row = self._row_of.pop(user, None)
        if row is not None:
            self._free.append(row)
            del self._positions[user]
            self._changed.pop(user, None)

    def changed(self, limit: int) -> list[str]:
        """Users whose memories changed since they were saved, the longest unsaved first."""
        return [user for user, _ in zip(self._changed, range(limit), strict=False)]

    def mark_saved(self, users: Sequence[str], positions: Sequence[Position]) -> None:
        """These were saved at these positions. One that is at another position by now remains changed."""
        for user, position in zip(users, positions, strict=True):
            if self._positions.get(user) == position:
                self._changed.pop(user, None)

    def _make_room(self, wanted: int) -> Unsaved | None:
        while len(self._free) < wanted and self._rows.users < self.capacity:
            old = self._rows.users
            more = self._rows.rows(slice(0, self.capacity - old)).map(torch.zeros_like)
            self._rows = State.stack([self._rows, more])
            self._free += range(old, self._rows.users)
        leaving = [user for user, _ in zip(self._row_of, range(wanted - len(self._free)), strict=False)]
        unsaved = [user for user in leaving if user in self._changed]
        evicted = (unsaved, self.get(unsaved), [self._positions[user] for user in unsaved]) if unsaved else None
        for user in leaving:
            self.drop(user)
        return evicted
