"""The mLSTM cell: a matrix memory with exponential gates, in three forms of one function.

Source: Beck et al. 2024 (xLSTM), eq. 19-27; xLSTM-LSR eq. 2-14 (whose eq. 5 lacks the absolute value). With

    m_t = max(log f_t + m_{t-1}, log i_t),   i'_t = exp(log i_t - m_t),   f'_t = exp(log f_t + m_{t-1} - m_t)
    C_t = f'_t C_{t-1} + i'_t k_t v_t^T,     n_t = f'_t n_{t-1} + i'_t k_t
    h_t = (q_t^T C_t / sqrt(d)) / (max(|q_t^T n_t| / sqrt(d), exp(min(-m_t, 50))) + 1e-6)

`parallel` is quadratic in time and the shortest to read, `step` is the recurrence itself, `chunkwise` is linear in time
and the one that is used. All scale q (and nothing else) by 1/sqrt(d), start from the same m, and agree to rounding.
Padding is log i = `NEVER`, log f = 0: the state passes through it unchanged, bit for bit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

NEVER = -1e30
"""log of an input gate that lets nothing in."""
EPSILON = 1e-6


class Memory(NamedTuple):
    """What the cell remembers, always fp32 (or fp64): m starts at 0."""

    cell: Tensor  # [B H dk dv]
    norm: Tensor  # [B H dk]
    peak: Tensor  # [B H], the stabiliser m

    @staticmethod
    def zeros(users: int, heads: int, key: int, value: int, **kind: Any) -> Memory:
        return Memory(
            torch.zeros(users, heads, key, value, **kind),
            torch.zeros(users, heads, key, **kind),
            torch.zeros(users, heads, **kind),
        )


def _divide(numerator: Tensor, denominator: Tensor, peak: Tensor) -> Tensor:
    """numerator [... dv] over the normaliser [...], floored by exp(-m) as the unstabilised cell floors at 1."""
    floor = torch.exp(torch.clamp(-peak, max=50.0))
    return numerator / (torch.maximum(denominator.abs(), floor) + EPSILON).unsqueeze(-1)


def step(q: Tensor, k: Tensor, v: Tensor, log_i: Tensor, log_f: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """One event: q, k [B H dk], v [B H dv], gates [B H] -> h [B H dv] and the memory after it."""
    q = q / math.sqrt(q.shape[-1])
    peak = torch.maximum(log_f + memory.peak, log_i)
    keep = torch.exp(log_f + memory.peak - peak)
    take = torch.exp(log_i - peak)
    cell = keep[..., None, None] * memory.cell + take[..., None, None] * k.unsqueeze(-1) * v.unsqueeze(-2)
    norm = keep[..., None] * memory.norm + take[..., None] * k
    h = _divide(torch.einsum("bhk,bhkv->bhv", q, cell), (q * norm).sum(-1), peak)
    return h, Memory(cell, norm, peak)


def parallel(q: Tensor, k: Tensor, v: Tensor, log_i: Tensor, log_f: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """All events at once, quadratic: q, k [B H T dk], v [B H T dv], gates [B H T] -> h [B H T dv], memory."""
    q = q / math.sqrt(q.shape[-1])
    total = log_f.cumsum(-1)  # [B H T]
    # decay[t, s] = log f_{s+1} + ... + log f_t + log i_s, the log weight of event s in memory t
    decay = total.unsqueeze(-1) - total.unsqueeze(-2) + log_i.unsqueeze(-2)
    past = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
    decay = decay.masked_fill(~past, -torch.inf)
    before = total + memory.peak.unsqueeze(-1)
    peak = torch.maximum(before, decay.amax(-1))
    weight = torch.exp(decay - peak.unsqueeze(-1))
    carried = torch.exp(before - peak)
    score = (q @ k.transpose(-1, -2)) * weight
    numerator = score @ v + carried.unsqueeze(-1) * (q @ memory.cell)
    denominator = score.sum(-1) + carried * torch.einsum("bhtk,bhk->bht", q, memory.norm)
    last = weight[..., -1, :].unsqueeze(-1) * k
    cell = carried[..., -1, None, None] * memory.cell + last.transpose(-1, -2) @ v
    norm = carried[..., -1, None] * memory.norm + last.sum(-2)
    return _divide(numerator, denominator, peak), Memory(cell, norm, peak[..., -1])


def chunkwise(
    q: Tensor, k: Tensor, v: Tensor, log_i: Tensor, log_f: Tensor, memory: Memory, chunk: int = 32
) -> tuple[Tensor, Memory]:
    """As `parallel`, in time and memory linear in T: quadratic inside chunks, one carried memory between them.

    q, k, v may be bf16: products are taken in their dtype, gates and memory stay in the gates' (fp32).
    """
    T = q.shape[2]
    chunk = min(chunk, T)
    if short := -T % chunk:
        q, k, v = (torch.nn.functional.pad(x, (0, 0, 0, short)) for x in (q, k, v))
        log_i = torch.nn.functional.pad(log_i, (0, short), value=NEVER)
        log_f = torch.nn.functional.pad(log_f, (0, short))
    B, H, _, dk = q.shape
    dv, dtype = v.shape[-1], q.dtype
    # The normaliser rides along as one more column of v whose value is always 1.
    v = torch.cat([v, v.new_ones(*v.shape[:-1], 1)], dim=-1)
    shape = (B, H, -1, chunk)
    q, k, v = q.reshape(*shape, dk), k.reshape(*shape, dk), v.reshape(*shape, dv + 1)
    total = log_f.reshape(shape).cumsum(-1)
    # In a chunk, event s weighs exp(source_s - level_t) in memory t: all that depends on both is a difference.
    source = log_i.reshape(shape) - total  # [B H N L]
    highest = source.cummax(-1).values
    start, level = _levels(memory.peak, total[..., -1], highest)
    past = torch.ones(chunk, chunk, dtype=torch.bool, device=q.device).tril()
    weight = (source.unsqueeze(-2) - level.unsqueeze(-1)).masked_fill(~past, -torch.inf).exp().to(dtype)
    scale = 1 / math.sqrt(dk)
    inside = ((q @ k.transpose(-1, -2)) * weight) @ v  # [B H N L dv+1]
    end = level[..., -1]
    added = (k * torch.exp(source - end.unsqueeze(-1)).unsqueeze(-1).to(dtype)).transpose(-1, -2) @ v
    cells = _carry(torch.cat([memory.cell, memory.norm.unsqueeze(-1)], dim=-1), torch.exp(start - end), added)
    before = q @ cells[:, :, :-1].to(dtype)
    result = (inside + torch.exp(start.unsqueeze(-1) - level).unsqueeze(-1).to(dtype) * before) * scale
    peak = total + level
    h = _divide(result[..., :-1], result[..., -1].float() if dtype != total.dtype else result[..., -1], peak)
    last = cells[:, :, -1]
    return (
        h.reshape(B, H, -1, dv)[:, :, :T].to(dtype),
        Memory(last[..., :-1], last[..., -1], total[:, :, -1, -1] + end[:, :, -1]),
    )


def _levels(peak: Tensor, decay: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
    """The stabiliser, chunk by chunk: m before each chunk [B H N], and m_t less the decay so far [B H N L]."""
    starts = []
    # unbind, not indexing: the gradient of an index is as large as what it was taken from, which made this quadratic
    for lost, top in zip(decay.unbind(-1), highest[..., -1].unbind(-1), strict=True):
        starts.append(peak)
        peak = lost + torch.maximum(peak, top)
    start = torch.stack(starts, dim=-1)
    return start, torch.maximum(start.unsqueeze(-1), highest)


def _carry(cell: Tensor, keep: Tensor, added: Tensor) -> Tensor:
    """cell_{n+1} = keep_n cell_n + added_n: [B H dk dv], [B H N], [B H N dk dv] -> all of them, [B H N+1 dk dv]."""
    cells = [cell]
    for kept, new in zip(keep[..., None, None].unbind(2), added.to(cell.dtype).unbind(2), strict=True):
        cells.append(torch.addcmul(new, kept, cells[-1]))
    return torch.stack(cells, dim=2)
