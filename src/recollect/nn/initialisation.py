"""How the weights of xLSTM blocks start in NX-AI's code, for blocks that are asked to start so.

Source: github.com/NX-AI/xlstm, components/init.py and the `reset_parameters` of its blocks: projections normal and
small (Nguyen & Salazar 2019), those back into the residual the smaller the more blocks there are (GPT-NeoX's "wang").
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from recollect.nn.conv import CausalConv
from recollect.nn.feedforward import GatedFeedForward
from recollect.nn.projection import BlockLinear

Initialisation = Literal["own", "nxai"]

Place = tuple[int, int]
"""Which block of a stack this is, counted from 0, and of how many."""


def start_small(layer: nn.Linear | BlockLinear, width: int) -> None:
    """Weights normal with variance 2 / (5 width), `width` that of the block, not of the layer; biases 0."""
    _start_normal(layer, math.sqrt(2 / (5 * width)))


def start_wang(layer: nn.Linear, width: int, place: Place) -> None:
    """Weights normal with standard deviation 2 / (blocks sqrt(width)); biases 0."""
    _start_normal(layer, 2 / (place[1] * math.sqrt(width)))


def start_convolution(conv: CausalConv) -> None:
    """As torch's Conv1d: weights and biases uniform within 1 / sqrt(taps)."""
    bound = 1 / math.sqrt(conv.width)
    nn.init.uniform_(conv.weight, -bound, bound)
    nn.init.uniform_(conv.bias, -bound, bound)


def start_feedforward(layer: GatedFeedForward | None, width: int, place: Place) -> None:
    """Up small, down by `start_wang`."""
    if layer is not None:
        start_small(layer.up, width)
        start_wang(layer.down, width, place)


def power_law(size: int, place: Place) -> Tensor:
    """[size]: the forget gate's inputs of an sLSTM head, 5 - 12 x^p for x from 0 to 1: 5 keeps for long, -7 hardly.

    p rises from .3 in the first block to 1.6 in the last: later blocks have more channels that keep.
    """
    block, blocks = place
    depth = block / (blocks - 1) if blocks > 1 else 0.0
    return 5 - 12 * torch.linspace(0, 1, size) ** (0.3 + 1.3 * depth)


def _start_normal(layer: nn.Linear | BlockLinear, deviation: float) -> None:
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
