"""Random numbers of counting models: training seeds torch's generator, and everything drawn in a fit hangs on that."""

from __future__ import annotations

import numpy as np
import torch


def draw_generator() -> np.random.Generator:
    """A generator whose seed is drawn from torch's: the same after `torch.manual_seed`, another the next time."""
    return np.random.default_rng(int(torch.randint(2**62, ()).item()))
