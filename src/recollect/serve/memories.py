"""The memories at hand: as many users' states as there is room for, side by side, so that a batch is one gather.

The one used longest ago makes room. What has changed since it was saved is handed out when it goes, and can be asked
for at any time; losing it loses nothing but the time to make it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

from recollect.contracts import State
from recollect.serve.stores.contract import Mark

FIRST_ROWS = 256
"""Room made at first; it doubles until there is no more."""

MOST_ROWS = 1 << 20
"""Users at hand, however small their memories are."""


Unsaved = tuple[Sequence[str], State, Sequence[Mark]]
"""Users, their states, their marks."""


class Memories:
    """States of users by id. `one`: any state of the model, for its shapes. `room`: bytes that the states may take."""

    def __init__(self, one: State, room: int) -> None:
        self.capacity = max(1, min(MOST_ROWS, room // max(1, one.bytes_per_user)))
        self._rows = one.map(lambda tensor: tensor.new_zeros(min(FIRST_ROWS, self.capacity), *tensor.shape[1:]))
        self._places: OrderedDict[str, int] = OrderedDict()  # the one used longest ago first
        self._free = list(range(self._rows.users))
        self._marks: dict[str, Mark] = {}
        self._changed: dict[str, None] = {}  # an ordered set

    def __len__(self) -> int:
        return len(self._places)

    @property
    def unsaved(self) -> int:
        """How many have changed since they were saved."""
        return len(self._changed)

    def mark(self, user: str) -> Mark | None:
        """How far the user's memory has come, None where it is not at hand."""
        return self._marks.get(user)

    def take(self, users: Sequence[str]) -> State:
        """A copy of the states of users who are at hand."""
        for user in users:
            self._places.move_to_end(user)
        return self._rows.rows(torch.tensor([self._places[user] for user in users], dtype=torch.int64))

    def put(self, users: Sequence[str], state: State, marks: Sequence[Mark], *, changed: bool = True) -> Unsaved | None:
        """Keep the states of users, each at most once, in the place of older ones; no more of them than `capacity`.

        -> those that had to make room for them and were not saved.
        """
        users, marks, state = users[: self.capacity], marks[: self.capacity], state.rows(slice(0, self.capacity))
        for user in users:
            if user in self._places:
                self._places.move_to_end(user)
        left = self._make_room(sum(user not in self._places for user in users))
        new = [user for user in users if user not in self._places]
        taken = dict(zip(new, self._free[len(self._free) - len(new) :], strict=True))
        places = torch.tensor(
            [taken[user] if user in taken else self._places[user] for user in users], dtype=torch.int64
        )
        for name, tensor in self._rows.items():
            tensor[places] = state[name].to(tensor.dtype)
        # Only now: whoever is named here has their state.
        del self._free[len(self._free) - len(new) :]
        self._places |= taken
        self._marks |= zip(users, marks, strict=True)
        if changed:
            self._changed |= dict.fromkeys(users)
        return left

    def drop(self, user: str) -> None:
        """Let go of a user, whatever has changed."""
        place = self._places.pop(user, None)
        if place is not None:
            self._free.append(place)
            del self._marks[user]
            self._changed.pop(user, None)

    def changed(self, limit: int) -> list[str]:
        """Users whose memories have changed since they were saved, those that have waited longest first."""
        return [user for user, _ in zip(self._changed, range(limit), strict=False)]

    def cleaned(self, users: Sequence[str], marks: Sequence[Mark]) -> None:
        """These have been saved as they were with these marks; who has another by now has changed again."""
        for user, mark in zip(users, marks, strict=True):
            if self._marks.get(user) == mark:
                self._changed.pop(user, None)

    def _make_room(self, wanted: int) -> Unsaved | None:
        while len(self._free) < wanted and self._rows.users < self.capacity:
            old = self._rows.users
            more = self._rows.rows(slice(0, self.capacity - old)).map(torch.zeros_like)
            self._rows = State.stack([self._rows, more])
            self._free += range(old, self._rows.users)
        leaving = [user for user, _ in zip(self._places, range(wanted - len(self._free)), strict=False)]
        unsaved = [user for user in leaving if user in self._changed]
        left = (unsaved, self.take(unsaved), [self._marks[user] for user in unsaved]) if unsaved else None
        for user in leaving:
            self.drop(user)
        return left
