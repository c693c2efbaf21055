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
LOWEST = 50.0
"""The floor of the normaliser rises with -m up to exp of this."""
LEAST = -60.0
"""log of a weight that is as good as none: far below rounding, but with products that are no slow subnormal numbers."""


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


def _normaliser(denominator: Tensor, peak: Tensor) -> Tensor:
    """q^T n and m [...] -> what h is divided by, floored by exp(-m) as the unstabilised cell floors at 1."""
    floor = torch.exp(torch.clamp(-peak, max=LOWEST))
    return torch.maximum(denominator.abs(), floor) + EPSILON


def _divide(numerator: Tensor, denominator: Tensor, peak: Tensor) -> Tensor:
    """numerator [... dv] over the normaliser [...]."""
    return numerator / _normaliser(denominator, peak).unsqueeze(-1)


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

    q, k, v may be bf16: a GPU takes products in it; gates and memory stay in the gates' dtype (fp32).
    """
    chunk = min(chunk, q.shape[2])
    if short := -q.shape[2] % chunk:
        log_i = torch.nn.functional.pad(log_i, (0, short), value=NEVER)
        log_f = torch.nn.functional.pad(log_f, (0, short))
    log_i, log_f = (gate.reshape(*gate.shape[:2], -1, chunk).movedim(2, 0) for gate in (log_i, log_f))  # [N B H L]
    total = log_f.cumsum(-1)
    # In a chunk, event s weighs exp(source_s + total_t - m_t) in memory t: all that depends on both is a sum.
    source = log_i - total
    start, level = _levels(memory.peak, total[..., -1], source.cummax(-1).values)
    peak = total + level
    carried = torch.cat([memory.cell, memory.norm.unsqueeze(-1)], dim=-1)
    with torch.autocast(q.device.type, enabled=False):
        h, carried = _Chunks.apply(q, k, v, source, total, peak, carried, memory.peak, start.detach())  # type: ignore[no-untyped-call]
    return h, Memory(carried[..., :-1], carried[..., -1], peak[-1, :, :, -1])


class _Chunks(torch.autograd.Function):
    """The chunkwise form with its gradient written out, which needs half the passes over memory.

    q, k [B H T dk], v [B H T dv], source, total, peak [N B H L], carried [B H dk dv+1] (cell and norm), m before all
    [B H] and before each chunk [N B H] -> h [B H T dv] and what is carried on. The stabilisers inside cancel, so that
    m has a gradient only from the floor of the normaliser and from the scale of what is carried on. A log weight's
    gradient is that of what it weighs, times what it weighs: no L x L matrix of them is made.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        source: Tensor,
        total: Tensor,
        peak: Tensor,
        carried: Tensor,
        begin: Tensor,
        start: Tensor,
    ) -> tuple[Tensor, Tensor]:
        (B, H, T, dk), dv, L, wide = q.shape, v.shape[-1], source.shape[-1], source.dtype
        # On a CPU the small products are quicker in fp32 than what turns their factors into bf16.
        kind = wide if q.device.type == "cpu" else q.dtype
        # [N B H L d] each; the normaliser rides along as one more column of v whose value is always 1.
        query, key, value = (_cut(part, L, kind, more) for part, more in ((q, 0), (k, 0), (v, 1)))
        value[..., dv] = 1
        level = peak - total
        scaled = (level + math.log(dk) / 2).unsqueeze(-1)
        weight = (source.unsqueeze(-2) - scaled).clamp_(LEAST, 0).exp_().tril_().to(kind)
        score = (query @ key.mT).mul_(weight)
        early, late, keep = _within(source, level, start, scaled, kind)
        first, kept = query * early, key * late
        cells = _carry(carried, keep, kept.mT @ value)  # [N+1 B H dk dv+1]
        result = (score @ value).flatten(0, 2).baddbmm_(first.flatten(0, 2), cells[:-1].to(kind).flatten(0, 2))
        result = result.view_as(value)
        below = result[..., dv].to(wide)
        over = _normaliser(below, peak).unsqueeze(-1)
        h = q.new_empty(B, T, H, dv).transpose(1, 2)
        for out, up, down in zip(_by_chunks(h, L), _of_chunks(result[..., :dv], T), _of_chunks(over, T), strict=True):
            torch.div(up, down, out=out)
        ctx.save_for_backward(
            query, key, value, weight, score, first, kept, cells, source, total, peak, start, below, h
        )
        return h, cells[-1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_carried: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weight, score, first, kept, cells, source, total, peak, start, below, h = ctx.saved_tensors
        dv, kind = h.shape[-1], query.dtype
        level = peak - total
        scaled = (level + math.log(key.shape[-1]) / 2).unsqueeze(-1)
        early, late, keep = _within(source, level, start, scaled, kind)
        rest = _normaliser(below, peak)
        own = below.abs() + EPSILON >= rest  # not at the floor
        drawn, slope = torch.zeros_like(rest), torch.empty_like(value)
        _fill(drawn.unsqueeze(-1), (grad * h).sum(-1, keepdim=True, dtype=rest.dtype))
        _fill(slope[..., :dv], grad)
        loose = drawn.div_(rest) * EPSILON
        slope[..., :dv].div_(rest.unsqueeze(-1))
        slope[..., dv] = torch.where(own, -torch.sgn(below) * drawn, 0)
        drawn.mul_(rest)
        grad_total = torch.where(own, loose, drawn)
        grad_peak = -torch.where(own | (peak > -LOWEST), loose, drawn)

        grad_score = (slope @ value.mT).mul_(weight)
        grad_cells = _carry_back(grad_carried, keep, first.mT @ slope)
        later = grad_cells[1:].to(kind)
        grad_query = (grad_score @ key).addcmul_(early, slope @ cells[:-1].to(kind).mT)
        grad_key = (grad_score.mT @ query).addcmul_(late, value @ later.mT)
        grad_value = (score.mT @ slope).flatten(0, 2).baddbmm_(kept.flatten(0, 2), later.flatten(0, 2))

        grown = (grad_cells * cells).sum((-2, -1))  # [N+1 B H]
        grad_total[..., -1] += grown[1:]
        grad_peak[-1, :, :, -1] -= grown[-1]
        grad_source = (grad_key * key).sum(-1, dtype=source.dtype)
        parts = (_uncut(part, h) for part in (grad_query, grad_key, grad_value.view_as(value)[..., :dv]))
        return *parts, grad_source, grad_total, grad_peak, grad_cells[0], grown[0], None


def _within(source: Tensor, level: Tensor, start: Tensor, scaled: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """What the memory before a chunk weighs at each of its events, over sqrt(d), and each event in that after it,
    [N B H L 1] in `dtype`; what of the memory is kept over the chunk, [N B H]."""
    end = level[..., -1]
    early = torch.exp(start[..., None, None] - scaled).to(dtype)
    late = torch.exp(source - end.unsqueeze(-1)).unsqueeze(-1).to(dtype)
    return early, late, torch.exp(start - end)


def _by_chunks(x: Tensor, chunk: int) -> list[Tensor]:
    """Views of x [B H T d]: whole chunks [n B H L d], and the rest [B H r d] if there is one."""
    T = x.shape[2]
    whole = T - T % chunk
    # A view also where nothing is contiguous: it is written through.
    parts = [x.narrow(2, 0, whole).unfold(2, chunk, chunk).permute(2, 0, 1, 4, 3)] if whole else []
    return parts + ([x[:, :, whole:]] if whole < T else [])


def _of_chunks(x: Tensor, T: int) -> list[Tensor]:
    """The same cells of x [N B H L d], which is padded behind T."""
    whole, rest = divmod(T, x.shape[3])
    return ([x[:whole]] if whole else []) + ([x[whole, :, :, :rest]] if rest else [])


def _cut(x: Tensor, chunk: int, dtype: torch.dtype, more: int = 0) -> Tensor:
    """[B H T d] -> [N B H L d+more] with zeros behind T; the further columns are left as they are."""
    B, H, T, d = x.shape
    made = x.new_empty(-(-T // chunk), B, H, chunk, d + more, dtype=dtype)
    _fill(made[..., :d], x)
    return made


def _fill(made: Tensor, x: Tensor) -> None:
    """Write x [B H T d] into [N B H L d], zeros behind T."""
    for out, part in zip(_of_chunks(made, x.shape[2]), _by_chunks(x, made.shape[3]), strict=True):
        out.copy_(part)
    if rest := x.shape[2] % made.shape[3]:
        made[-1, :, :, rest:] = 0


def _uncut(x: Tensor, like: Tensor) -> Tensor:
    """[N B H L d] -> [B H T d] with the T and dtype of `like`, laid out as [B T H d], which projections want."""
    B, H, T, _ = like.shape
    made = like.new_empty(B, T, H, x.shape[-1]).transpose(1, 2)
    for out, part in zip(_by_chunks(made, x.shape[3]), _of_chunks(x, T), strict=True):
        out.copy_(part)
    return made


def _levels(peak: Tensor, decay: Tensor, highest: Tensor) -> tuple[Tensor, Tensor]:
    """The stabiliser, chunk by chunk: m before each chunk [N B H], and m_t less the decay so far [N B H L]."""
    starts = []
    # unbind, not indexing: the gradient of an index is as large as what it was taken from, which made this quadratic
    for lost, top in zip(decay.unbind(), highest[..., -1].unbind(), strict=True):
        starts.append(peak)
        peak = lost + torch.maximum(peak, top)
    start = torch.stack(starts)
    return start, torch.maximum(start.unsqueeze(-1), highest)


def _carry(cell: Tensor, keep: Tensor, added: Tensor) -> Tensor:
    """cell_{n+1} = keep_n cell_n + added_n: [B H dk dv], [N B H], [N B H dk dv] -> all of them, [N+1 B H dk dv]."""
    cells = cell.new_empty(len(keep) + 1, *cell.shape)
    cells[0] = cell
    for n, kept in enumerate(keep[..., None, None]):
        torch.addcmul(added[n].to(cell.dtype), kept, cells[n], out=cells[n + 1])
    return cells


def _carry_back(grad: Tensor, keep: Tensor, read: Tensor) -> Tensor:
    """The gradients of all cells, [N+1 B H dk dv]: that of the last one, of `_carry`'s keep, and of what read each."""
    grads = grad.new_empty(len(keep) + 1, *grad.shape)
    grads[-1] = grad
    for n in range(len(keep) - 1, -1, -1):
        torch.addcmul(read[n].to(grad.dtype), keep[n][..., None, None], grads[n + 1], out=grads[n])
    return grads
