"""How much memory a training run will need, told before it starts, how much it took, and one leak-like habit bounded.

The estimate counts what is exact (weights, gradients, two moments, best weights) and bounds the rest by a rule of thumb
for activations: cells of a batch x width x a factor per block, measured on the models of this package.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from recollect.contracts import Network
from recollect.losses.full import chunk_cells

ACTIVATIONS_PER_PARAMETER_CELL = 0.2
"""Bytes kept per batch cell for each non-table parameter: .15 (gru4rec) to .26 (xlstm-lsr) were measured in fp32."""

PREPARED_PRODUCTS = 128
"""Prepared products kept: about those of one training step. Fewer were slow, see docs/log.md."""
PREPARED_BYTES = 500_000
"""What each takes, roughly, with the holes it leaves: next to 0 (gru4rec) to 1.1 MB (xlstm-lsr) were measured."""


def estimate_bytes(model: Network, tokens: int, *, prepared: bool = False, device_type: str = "cpu") -> int:
    """Peak bytes of training with batches of `tokens` cells, beyond what Python and torch take (about 0.4 GB).

    `prepared`: bf16 products on a CPU, which are prepared for each shape and kept (`bound_prepared_products`).
    """
    parameters = sum(p.numel() for p in model.parameters())
    beyond_table = parameters - model.item_vectors().numel()
    activations = int(tokens * beyond_table * ACTIVATIONS_PER_PARAMETER_CELL)
    logits = (1 if device_type == "cpu" else 3) * 4 * chunk_cells(device_type)
    return parameters * 4 * 5 + activations + logits + prepared * PREPARED_PRODUCTS * PREPARED_BYTES


def bound_prepared_products() -> None:
    """Keep few of the products that the CPU's bf16 library prepares, one for each shape it meets.

    Batches of whole histories come in very many shapes: with the thousand that each of two caches holds by default,
    ML-1M ends above 3 GB, most of it prepared products and the holes between them. Both caches read their size from
    the environment at their first use, so this comes before the first product; what the user has set stays.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(PREPARED_PRODUCTS))  # oneDNN's own
    os.environ.setdefault("LRU_CACHE_CAPACITY", str(PREPARED_PRODUCTS))  # the one that torch keeps in front of it


def peak_bytes() -> int:
    """The most resident memory this process has had so far."""
    status = Path("/proc/self/status")  # Linux; its ru_maxrss would begin at the peak of whoever started the process
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def human_bytes(count: float) -> str:
    """As 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
