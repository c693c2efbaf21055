"""Random: a list that knows nothing. What any figure is worth is seen beside it.

A hash of the user's events and of the item is spread evenly over [0, 1): the mixing function of Steele, Lea & Flood
2014, "Fast splittable pseudorandom number generators" (splitmix64).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from recollect.config import Settings
from recollect.contracts import Catalog, Counting, Events, Histories, Request, State
from recollect.counting.draws import draw_generator
from recollect.counting.matrices import expect_names
from recollect.counting.scoring import score_in_blocks

_STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing


class Random(Counting):
    """Scores drawn evenly from [0, 1), anew for every history: all users without events share one list.

    The state is one number, sum_t item_t STEP^(T-1-t) modulo 2^64: the same however the history is cut.
    """

    class Config(Settings):
        """There is nothing to set; another seed of training gives other lists."""

    probabilistic = False
    config: Config

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self.config = config
        self.catalog = catalog
        self._salt = np.zeros(1, np.int64)

    def fit(self, histories: Histories) -> None:
        self._salt = draw_generator().integers(0, 2**63 - 1, 1)

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return State({"key": torch.zeros(users, dtype=torch.int64)})

    def advance(self, state: State, events: Events) -> State:
        codes, lengths = events.codes.cpu().numpy().astype(np.uint64), events.lengths.cpu().numpy()
        powers = np.full(codes.shape[1] + 1, _STEP)
        powers[0] = 1
        powers = np.cumprod(powers, dtype=np.uint64)  # modulo 2^64, as everything here
        later = np.maximum(lengths[:, None] - 1 - np.arange(codes.shape[1]), 0)  # [B T]; padded codes are 0
        key = _bits(state) * powers[lengths] + (codes * powers[later]).sum(axis=1, dtype=np.uint64)
        return State({"key": torch.from_numpy(key.view(np.int64)).to(state["key"].device)})

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        size = self.catalog.size
        users = mixed(_bits(state) ^ self._salt.view(np.uint64))  # [B]
        steps = np.arange(size, dtype=np.uint64) * _STEP  # [V]

        def score_rows(rows: slice) -> np.ndarray:
            top = mixed(users[rows, None] + steps) >> np.uint64(40)  # 24 bits are all an fp32 below 1 can tell apart
            return top.astype(np.float32) * np.float32(2.0**-24)

        return score_in_blocks(score_rows, len(users), size, items, state["key"].device)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"salt": torch.from_numpy(self._salt), "size": torch.tensor([self.catalog.size])}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        expect_names("random", tensors, ["salt", "size"])
        if tensors["size"].tolist() != [self.catalog.size]:
            raise ValueError(f"random: made for another catalogue than one of {self.catalog.size} item codes")
        self._salt = tensors["salt"].cpu().numpy()


def _bits(state: State) -> np.ndarray:
    """[B] uint64."""
    return state["key"].cpu().numpy().view(np.uint64)


def mixed(bits: np.ndarray) -> np.ndarray:
    """uint64 -> uint64, one to one: each bit of the input changes about half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
