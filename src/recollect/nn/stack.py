"""Blocks that each carry a state, one on top of the other."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from recollect.contracts import Events, State


class Stack(nn.ModuleList):
    """x [B T D] -> [B T D] through every block in turn; the state of block n is the part named `n`.

    A block has `fresh(users) -> State` and `forward(x, events, state) -> (x, state)`.
    """

    def fresh(self, users: int) -> State:
        return State.join({str(depth): cast(State, block.fresh(users)) for depth, block in enumerate(self)})  # type: ignore[operator]

    def forward(self, x: Tensor, events: Events, state: State) -> tuple[Tensor, State]:
        after: dict[str, State] = {}
        for depth, block in enumerate(self):
            x, after[str(depth)] = block(x, events, state.part(str(depth)))
        return x, State.join(after)
