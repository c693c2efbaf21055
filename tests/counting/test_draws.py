"""Draws follow torch's seed, and differ from one generator to the next."""

from __future__ import annotations

import torch

from recollect.counting.draws import draw_generator


def test_the_seed_is_torchs() -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append([tuple(draw_generator().integers(0, 2**40, 3)) for _ in range(2)])
    assert found[0] == found[1] and found[0] != found[2] and found[0][0] != found[0][1]
