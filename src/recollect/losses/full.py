"""Cross-entropy over the whole catalogue, in chunks, gradient and loss in one pass.

The logits of a chunk of targets are made, turned into their own gradient and dropped, so that memory holds one chunk
x items and never tokens x items, and each logit is computed once. Full softmax instead of one negative is worth more
than any architecture: +36 % NDCG@10 on ML-1M (Petrov & Macdonald 2023; Klenitskiy & Vasilev 2023).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recollect.losses.sparse import Added, Excluded, Lists

CHUNK_CELLS = 2_000_000
"""Logits alive at once on a CPU, at most (8 MB in fp32)."""
CHUNK_ROWS = 128
"""Targets a chunk on a CPU, for each of its cores: with some thousand items their logits stay in a core's cache."""
CALM = 60.0
"""Logits within plus or minus it need no stabiliser in fp32, not even summed over all items."""
GRAIN = 64
"""Chunks are rounded up to a multiple: the CPU's bf16 products prepare, and keep, code for every new shape."""


def chunk_cells(device_type: str) -> int:
    """Logits alive at once, at most; an accelerator wants more work a call than a CPU."""
    return CHUNK_CELLS if device_type == "cpu" else 32 * CHUNK_CELLS


def chunk_rows(device_type: str, items: int) -> int:
    """Targets a chunk."""
    most = max(1, chunk_cells(device_type) // items)
    return min(most, CHUNK_ROWS * torch.get_num_threads()) if device_type == "cpu" else most


def full_cross_entropy(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    weights: Tensor | None = None,
    excluded: Excluded | None = None,
    added: Added | None = None,
) -> Tensor:
    """hidden [N D], table [V D] (row 0 is padding and never a candidate), targets [N] codes -> mean loss.

    `weights` [N]: what each target counts in the mean (the sum of weighted losses over the sum of weights).
    `excluded`: items that are no candidates of a target. `added`: what is added to the logits of some items.
    Products are taken in hidden's dtype (bf16 under mixed precision), the softmax in fp32 (fp64 for an fp64 table).
    """
    if torch.is_autocast_enabled(hidden.device.type):
        hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
    values = None if added is None else added.values
    loss: Tensor = _ChunkedCrossEntropy.apply(hidden, table, targets, bias, values, weights, excluded, added)  # type: ignore[no-untyped-call]
    return loss


def _calm(hidden: Tensor, candidates: Tensor, bias: Tensor | None, values: Tensor | None) -> bool:
    """Whether all logits are surely within `CALM`, by their factors' norms. Only a CPU is asked: it need not wait."""
    if hidden.device.type != "cpu":
        return False
    largest = [0.0 if x is None or x.numel() == 0 else float(x.abs().max()) for x in (bias, values)]
    longest = [float(x.float().norm(dim=1).max()) if len(x) else 0.0 for x in (hidden, candidates)]
    return longest[0] * longest[1] + sum(largest) < CALM


def _log_probability(at_target: Tensor, hit: Tensor, logits: Tensor) -> Tensor:
    """log p = logit - logsumexp; from p itself where p is not lost to rounding, which is nearly always."""
    # An accelerator is not asked which it is: it would have to catch up first, and the sum costs it little.
    if logits.device.type != "cpu" or not bool((at_target > 1e-30).all()):
        return hit - logits.logsumexp(dim=-1, keepdim=True)
    return at_target.log()


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The mean's gradient is known up to one factor, so it is made on the way forward."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        targets: Tensor,
        bias: Tensor | None,
        values: Tensor | None,
        weights: Tensor | None,
        excluded: Excluded | None,
        added: Added | None,
    ) -> Tensor:
        tokens, items = len(hidden), len(table)
        dtype, wide = hidden.dtype, torch.promote_types(table.dtype, torch.float32)
        candidates = table[1:].to(dtype)
        across = candidates.T.contiguous()
        chunk = chunk_rows(hidden.device.type, items)
        grain = min(GRAIN, chunk)
        chunk -= chunk % grain
        short = -tokens % grain
        hidden = F.pad(hidden, (0, 0, 0, short))
        wanted = F.pad(targets - 1, (0, short)).unsqueeze(1)
        worth = F.pad(hidden.new_ones(tokens, dtype=wide) if weights is None else weights.to(wide), (0, short))[:, None]
        calm = _calm(hidden, candidates, bias, values)
        grad_hidden = torch.empty_like(hidden)
        grad_across = torch.zeros_like(across, dtype=wide)
        grad_bias = None if bias is None else torch.zeros_like(bias, dtype=wide)
        grad_values = None if values is None else torch.zeros_like(values)
        room = hidden.new_empty(min(chunk, len(hidden)), items - 1, dtype=wide)

        def cells(lists: Lists, codes: Tensor, start: int) -> tuple[slice, Tensor, Tensor]:
            """The entries of the targets from `start` on, their rows, and their places in the logits of the chunk."""
            some = lists.part(start, start + chunk)
            rows = lists.targets[some] - start
            return some, rows, torch.add(codes[some] - 1, rows, alpha=items - 1)

        total = hidden.new_zeros((), dtype=wide)
        for start in range(0, tokens, chunk):
            part = slice(start, start + chunk)
            read = hidden[part]
            logits = room[: len(read)]
            if dtype == wide:
                torch.mm(read, across, out=logits)
            else:
                logits.copy_(read @ across)
            if bias is not None:
                logits += bias[1:].to(wide)
            if added is not None:
                some, rows, met = cells(added.lists, added.items, start)
                logits.view(-1).index_add_(0, met, added.values[some].to(wide))
            hit = logits.gather(1, wanted[part])
            past = None if excluded is None else cells(excluded.lists, excluded.items, start)[2]
            # Either way `mass` is the softmax, but for a factor `share` of each row.
            if calm:
                mass = logits.exp_()
            else:
                if past is not None:
                    logits.view(-1).index_fill_(0, past, -torch.inf)
                    logits.scatter_(1, wanted[part], hit)
                mass = torch.softmax(logits, dim=-1)
            at_target = mass.gather(1, wanted[part])
            if calm:
                if past is not None:  # after the exponential, which takes long over infinities
                    mass.view(-1).index_fill_(0, past, 0)
                    mass.scatter_(1, wanted[part], at_target)
                whole = mass.sum(dim=-1, keepdim=True)
                likely, share = at_target.log() - whole.log(), worth[part] / whole
            else:
                whole = mass.new_ones(())
                likely, share = _log_probability(at_target, hit, logits), worth[part]
            total -= (likely * worth[part]).sum()
            mass.scatter_(1, wanted[part], at_target - whole)
            if grad_bias is not None:
                grad_bias[1:].addmv_(mass.T, share.squeeze(1))
            if grad_values is not None:
                grad_values[some] = (mass.view(-1)[met] * share[rows, 0]).to(grad_values.dtype)
            slope = mass.to(dtype)
            grad_hidden[part] = (slope @ candidates) * share
            # The share goes to the narrower factor.
            if dtype == wide:
                grad_across.addmm_((read * share).T, slope)
            else:
                grad_across += (read * share).to(dtype).T @ slope
        grad_table = F.pad(grad_across.T, (0, 0, 1, 0))
        ctx.save_for_backward(grad_hidden[:tokens], grad_table, grad_bias, grad_values)
        ctx.table_dtype, ctx.bias_dtype = table.dtype, None if bias is None else bias.dtype
        count = None if weights is None else weights.sum()
        ctx.mass = max(tokens, 1) if count is None else torch.where(count > 0, count, 1.0).to(wide)
        return total / ctx.mass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden, table, bias, values = ctx.saved_tensors
        scale = grad / ctx.mass
        return (
            hidden * scale.to(hidden.dtype),
            (table * scale).to(ctx.table_dtype),
            None,
            None if bias is None else (bias * scale).to(ctx.bias_dtype),
            None if values is None else values * scale.to(values.dtype),
            None,
            None,
            None,
        )
