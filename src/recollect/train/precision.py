"""In which precision a run multiplies: as the settings say, or what is faster here.

That a processor has bf16 products does not make them faster: AMD's take half the time of fp32 ones, and Intel's without
its matrix unit (AMX), which virtual machines often hide, twice the time. So `auto` on a CPU measures both once.
"""

from __future__ import annotations

import functools
import time
from typing import Literal

import torch

from recollect.train.device import on_cuda
from recollect.train.settings import TrainSettings

WORTH = 1.25
"""So many times as fast must bf16 products be: what they save also pays for turning values into bf16 and back."""

Precision = Literal["32-true", "bf16-mixed"]
"""As Fabric names them."""
SAID: dict[Precision, str] = {"32-true": "in fp32", "bf16-mixed": "in bf16"}


def precision_of(settings: TrainSettings) -> Precision:
    """The precision that a run takes on this machine."""
    if settings.precision == "32":
        return "32-true"
    if settings.precision == "bf16":
        return "bf16-mixed"
    if on_cuda(settings):  # cards before Ampere only emulate it, slowly
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() and bf16_speed() >= WORTH
    return "bf16-mixed" if native else "32-true"


def prepares_products(settings: TrainSettings) -> bool:
    """True for bf16 products on a CPU: each shape of them is prepared and kept, which takes memory."""
    return precision_of(settings) == "bf16-mixed" and not on_cuda(settings)


@functools.cache
def bf16_speed() -> float:
    """How many times as fast as fp32 products bf16 ones are on this CPU: the fastest of several each, in turns."""
    shapes = (512, 128), (128, 1024)
    pairs = [[torch.ones(shape, dtype=dtype) for shape in shapes] for dtype in (torch.float32, torch.bfloat16)]
    fastest = [float("inf")] * 2
    for turn in range(12):
        for which, (a, b) in enumerate(pairs):
            begun = time.perf_counter()
            for _ in range(4):
                a @ b
            if turn >= 2:  # the first ones prepare the product
                fastest[which] = min(fastest[which], time.perf_counter() - begun)
    return fastest[0] / fastest[1]
