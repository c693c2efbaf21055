"""The selective scan of Mamba: a diagonal memory per channel whose decay, input and read-out depend on the event.

Source: Gu & Dao 2023 (Mamba), eq. 2 and algorithm 2; B is discretised by Δ B, as in the published code. Per channel

    h_t = exp(Δ_t A) h_{t-1} + Δ_t x_t B_t,      y_t = C_t . h_t + D x_t,      A < 0, Δ >= 0

`recurrence` is that, one `step` an event; `chunked` is the same function with its gradient written out, several times
faster to train; `scan` takes what is fastest where it runs. Only decays of at most 1 are ever multiplied, so no gate
can overflow. Padding is Δ = 0 with a finite x: the memory passes through it unchanged. Everything here is fp32 (or
fp64) under any autocast.

Shapes: U users, T events, E channels, N states a channel; x, Δ [U T E], A [E N], B, C [U T N], D [E], h [U E N].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

CELLS = {"cpu": 2**19, "cuda": 2**25}
"""Memory cells worked on at once: what stays in a processor's cache, and what fills a graphics card."""
CHUNK = {"cuda": 32}
"""Events a chunk where none is asked for; a device that is not named takes all events as one chunk."""
LOG2_E = 1 / math.log(2)
KERNEL_STATES = 256
"""The most states a channel that the kernel of mamba_ssm takes."""


def step(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """One event: x, delta [U E], B, C [U N] -> y [U E] and the memory after it."""
    keep = torch.exp(delta.unsqueeze(-1) * A)
    memory = keep * memory + (delta * x).unsqueeze(-1) * B.unsqueeze(1)
    return (memory * C.unsqueeze(1)).sum(-1) + D * x, memory


def recurrence(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """All events, one after the other: the reference -> y [U T E] and the memory at the end."""
    out = [x[:, :0]]
    for t in range(x.shape[1]):
        y, memory = step(x[:, t], delta[:, t], A, B[:, t], C[:, t], D, memory)
        out.append(y.unsqueeze(1))
    return torch.cat(out, dim=1), memory


def scan(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, memory: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """As `recurrence`, by the fastest form there is for this device, length and memory."""
    if x.shape[1] == 1:
        y, memory = step(x[:, 0], delta[:, 0], A, B[:, 0], C[:, 0], D, memory)
        return y.unsqueeze(1), memory
    kernel = published_kernel() if x.is_cuda and x.shape[1] > 0 and A.shape[1] <= KERNEL_STATES else None
    # The kernel starts from nothing and gives its start no gradient: a memory in use is not for it.
    if kernel is not None and not memory.requires_grad and not memory.any():
        return by_kernel(kernel, x, delta, A, B, C, D)
    return chunked(x, delta, A, B, C, D, memory, chunk)


@functools.cache
def published_kernel() -> Callable[..., Any] | None:
    """`selective_scan_fn` of mamba_ssm (`pip install mamba-ssm`), or None where it is not installed."""
    try:
        from mamba_ssm.ops.selective_scan_interface import (  # type: ignore[import-not-found, unused-ignore]
            selective_scan_fn,
        )
    except (ImportError, OSError):  # not there, or built for another torch or CUDA
        return None
    return selective_scan_fn  # type: ignore[no-any-return, unused-ignore]


def by_kernel(
    kernel: Callable[..., Any], x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    """As `scan` from an empty memory; the kernel gives the memory after it no gradient, so it comes without a graph."""
    x, delta, B, C = (part.transpose(1, 2).contiguous() for part in (x, delta, B, C))
    y, memory = kernel(x, delta, A.contiguous(), B, C, D, return_last_state=True)
    return y.transpose(1, 2), memory.detach()


def chunked(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, memory: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """As `recurrence`: `chunk` events are scanned one by one, all chunks of a user side by side (0: by device).

    The length of a chunk changes speed, never results. One chunk is the plain loop and the least work; short chunks
    are fewer and larger steps, for about half as much work again.
    """
    U, T, E = x.shape
    if T == 0:
        return x, memory
    L = min(chunk or CHUNK.get(x.device.type, T), T)
    K = -(-T // L)

    def lanes(part: Tensor) -> Tensor:  # [U T F] -> [L K*U F], the K chunks of all users side by side
        part = pad(part, (0, 0, 0, K * L - T))
        return part.reshape(U, K, L, part.shape[2]).permute(2, 1, 0, 3).reshape(L, K * U, part.shape[2])

    with torch.autocast(x.device.type, enabled=False):
        inputs = (lanes(delta), lanes(delta * x), A.T.contiguous(), lanes(B), lanes(C), memory.transpose(1, 2))
        keep = torch.is_grad_enabled() and any(part.requires_grad for part in inputs)
        y, after = _Scan.apply(*inputs, keep)  # type: ignore[no-untyped-call]
        y = y.view(L, K, U, E).permute(2, 1, 0, 3).reshape(U, K * L, E)[:, :T]
        return y + D * x, after.transpose(1, 2)


class _Scan(torch.autograd.Function):
    """delta, drive = Δ x [L R E], A [N E], B, C [L R N], start [U N E] -> C_t . h_t [L R E], the memory after it.

    R = K * U lanes are K chunks of U users, earlier chunks first. Channels stand last, so that products of a channel's
    and a state's number run over long rows. Work is done in blocks of events that stay in cache; within a block only
    one multiply-add an event waits for the event before. Only the memory before each block is kept; the backward pass
    runs through the block again, which is cheaper than writing and reading back a memory an event.
    """

    @staticmethod
    def forward(
        ctx: Any, delta: Tensor, drive: Tensor, A: Tensor, B: Tensor, C: Tensor, start: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor]:
        (L, R, _), U = delta.shape, start.shape[0]
        y, (kept_, held_) = torch.empty_like(delta), _room(delta, A, 2)
        before = _starts(delta[:, : R - U], drive[:, : R - U], A, B[:, : R - U], start)
        marks = []
        for s, e in _blocks(L, len(held_)):
            if keep:
                marks.append(before)
            kept, held = _decay(delta[s:e], A, kept_[: e - s]), held_[: e - s]
            _run(before, kept, B[s:e], drive[s:e], held)
            y[s:e] = _over_states(C[s:e], held)
            before = held[-1].clone()
        if keep:
            ctx.save_for_backward(delta, drive, A, B, C, *marks)
            ctx.users = U
        return y, before[R - U :]

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dlast: Tensor) -> tuple[Tensor | None, ...]:
        delta, drive, A, B, C, *marks = ctx.saved_tensors
        U, dy = ctx.users, dy.contiguous()
        grad_delta, grad_drive, grad_B, grad_C = (torch.empty_like(part) for part in (delta, drive, B, C))
        grad_A = delta.new_zeros(delta.shape[1], *A.shape)
        kept_, held_, grads_ = _room(delta, A, 3)
        with torch.autocast(delta.device.type, enabled=False):
            # The gradient, through later events only, of h after the last event of each lane; then of h before s.
            later = _ends(delta[:, U:], dy[:, U:], A, C[:, U:], dlast)
            for (s, e), before in zip(_blocks(len(delta), len(held_))[::-1], marks[::-1], strict=True):
                kept, held, g = _decay(delta[s:e], A, kept_[: e - s]), held_[: e - s], grads_[: e - s]
                _run(before, kept, B[s:e], drive[s:e], held)
                torch.mul(C[s:e].unsqueeze(-1), dy[s:e].unsqueeze(-2), out=g)
                g[-1].add_(later)
                fades, each = kept.unbind(0), g.unbind(0)
                for t in range(e - s - 2, -1, -1):
                    each[t].addcmul_(fades[t + 1], each[t + 1])
                grad_C[s:e] = _over_channels(dy[s:e], held)
                grad_B[s:e] = _over_channels(drive[s:e], g)
                grad_drive[s:e] = _over_states(B[s:e], g)
                kept.mul_(g)  # the gradient of h before each event
                later = kept[0].clone()
                kept[0].mul_(before), kept[1:].mul_(held[:-1])  # the gradient of Δ A
                for of_exponent, time in zip(fades, delta[s:e].unsqueeze(-2).unbind(0), strict=True):
                    grad_A.addcmul_(of_exponent, time)
                grad_delta[s:e] = kept.mul_(A).sum(-2)
        return grad_delta, grad_drive, grad_A.sum(0), grad_B, grad_C, later[:U], None


def _run(before: Tensor, kept: Tensor, B: Tensor, drive: Tensor, held: Tensor) -> None:
    """The recurrence through one block: h before it [R N E], decays [l R N E] -> h after each event, into `held`."""
    torch.mul(B.unsqueeze(-1), drive.unsqueeze(-2), out=held)
    for fade, after in zip(kept.unbind(0), held.unbind(0), strict=True):
        before = after.addcmul_(fade, before)


def _room(delta: Tensor, A: Tensor, count: int) -> list[Tensor]:
    """Memory cells of one block of events, [l R N E] each; left as they are."""
    size = min(len(delta), _events_a_block(delta, A))
    return [delta.new_empty(size, delta.shape[1], *A.shape) for _ in range(count)]


def _over_states(weights: Tensor, cells: Tensor) -> Tensor:
    """weights [l R N], cells [l R N E] -> their products summed over N, [l R E]."""
    return (weights.unsqueeze(-2) @ cells).squeeze(-2)


def _over_channels(weights: Tensor, cells: Tensor) -> Tensor:
    """weights [l R E], cells [l R N E] -> their products summed over E, [l R N]."""
    return (weights.unsqueeze(-2) @ cells.mT).squeeze(-2)


def _events_a_block(delta: Tensor, A: Tensor) -> int:
    cells = CELLS.get(delta.device.type, CELLS["cuda"])
    return max(1, cells // max(1, delta.shape[1] * A.numel()))


def _blocks(length: int, size: int) -> list[tuple[int, int]]:
    return [(s, min(s + size, length)) for s in range(0, length, size)]


def _decay(time: Tensor, A: Tensor, out: Tensor | None = None) -> Tensor:
    """exp(time A): [... E], [N E] -> [... N E], as a power of 2, which costs a third on a CPU."""
    return torch.mul(time.unsqueeze(-2), A * LOG2_E, out=out).exp2_()


def _starts(delta: Tensor, drive: Tensor, A: Tensor, B: Tensor, start: Tensor) -> Tensor:
    """The memory before each chunk [R N E], from `start` [U N E] and all chunks but the last."""
    if delta.shape[1] == 0:
        return start
    # What event l adds to the memory after the chunk has decayed over the time of the events behind l.
    behind = torch.cat([delta[1:].flip(0).cumsum(0).flip(0), torch.zeros_like(delta[:1])])
    added = _weighted_sum(behind, A, B, drive)
    return _hand_on(start, _decay(delta.sum(0), A), added)


def _ends(delta: Tensor, dy: Tensor, A: Tensor, C: Tensor, end: Tensor) -> Tensor:
    """The gradient of the memory after each chunk [R N E], from that of the last and all chunks but the first."""
    if delta.shape[1] == 0:
        return end
    added = _weighted_sum(delta.cumsum(0), A, C, dy)
    return _hand_on(end, _decay(delta.sum(0), A), added, backwards=True)


def _hand_on(first: Tensor, keep: Tensor, added: Tensor, *, backwards: bool = False) -> Tensor:
    """s_0 = first [U N E], s_{k+1} = keep_k s_k + added_k, each of them K times [U N E] -> s_0 to s_K, in one.

    `backwards` begins at the last of K and ends at the first; what comes out stands in the order of time all the same.
    """
    found = [first]
    steps = list(zip(*(part.reshape(-1, *first.shape).unbind(0) for part in (keep, added)), strict=True))
    for kept, new in steps[::-1] if backwards else steps:
        found.append(torch.addcmul(new, kept, found[-1]))
    return torch.cat(found[::-1] if backwards else found)


def _weighted_sum(time: Tensor, A: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """sum_l exp(time_l A) left_l right_l: [L R E], [N E], [L R N], [L R E] -> [R N E], block by block."""
    total = time.new_zeros(time.shape[1], *A.shape)
    for s, e in _blocks(len(time), _events_a_block(time, A)):
        part = _decay(time[s:e], A).mul_(right[s:e].unsqueeze(-2))
        total += part.mul_(left[s:e].unsqueeze(-1)).sum(0)
    return total
