"""The device the tests run on: the CPU, unless RECOLLECT_TEST_DEVICE names another (cuda, cuda:1).

The same bits are promised on a CPU only; elsewhere what would be compared bit for bit from one run to the next is
compared within `DRIFT`. What stands on one side of a single run (padding, idle rows, bytes) keeps its bits everywhere.
"""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

NAMED = os.environ.get("RECOLLECT_TEST_DEVICE")
DEVICE = torch.device(NAMED or "cpu")
ACCELERATED = DEVICE.type != "cpu"
DRIFT = 1e-4
"""Share of a tensor's largest magnitude by which two runs may differ where sums are taken in no fixed order."""

if DEVICE.type == "cuda":
    # cuDNN's recurrent layers round what they multiply to ten bits by default; the laws hold fp32 to fp32.
    torch.backends.cudnn.allow_tf32 = os.environ.get("RECOLLECT_TEST_TF32") == "1"

on_the_cpu = pytest.mark.skipif(ACCELERATED, reason="is about the CPU, or makes its own tensors there")
on_a_named_device = pytest.mark.skipif(
    NAMED is None, reason="compares a device with the CPU: name it in RECOLLECT_TEST_DEVICE"
)


def again(one: Tensor, two: Tensor, drift: float = DRIFT) -> bool:
    """Whether two runs came to the same: to the last bit on a CPU, within `drift` elsewhere."""
    if not ACCELERATED:
        return torch.equal(one, two)
    return one.shape == two.shape and apart(one, two) <= drift


def apart(one: Tensor, two: Tensor) -> float:
    """The largest difference, as a share of the largest magnitude; wherever the two are."""
    one, two = one.detach().cpu().double(), two.detach().cpu().double()
    finite = one.isfinite()
    if not torch.equal(finite, two.isfinite()):
        return float("inf")
    if not bool(finite.any()):
        return 0.0
    one, two = one[finite], two[finite]
    return float((one - two).abs().max() / one.abs().max().clamp(min=1e-6))
