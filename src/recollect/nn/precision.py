"""Recurrent layers in the number type they are given.

On a GPU cuDNN multiplies fp32 with ten bits of mantissa (TF32) unless it is told not to, and then a user's result
depends on the padding beside it: the law of company fails. It costs them little; they wait for their steps anyway.
"""

from __future__ import annotations

import contextlib

import torch


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Inside, cuDNN multiplies fp32 as fp32; elsewhere than on a GPU nothing changes."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    now = torch.backends.cudnn
    return now.flags(enabled=now.enabled, benchmark=now.benchmark, deterministic=now.deterministic, allow_tf32=False)
