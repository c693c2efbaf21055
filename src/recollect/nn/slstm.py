"""The sLSTM cell: scalar memories with exponential gates and mixing, one event after the other.

Source: Beck et al. 2024 (xLSTM), eq. 8-18; xLSTM-LSR eq. 15-21. With W x (and biases) given for every position at once,

    (z, log i, f, o)_t = (W x)_t + R h_{t-1}       R block-diagonal: heads do not mix with each other
    m_t = max(log f_t + m_{t-1}, log i_t),          i' = exp(log i_t - m_t),  f' = exp(log f_t + m_{t-1} - m_t)
    c_t = f' c_{t-1} + i' tanh(z_t),  n_t = f' n_{t-1} + i',  h_t = sigmoid(o_t) c_t / n_t

log f is logsigmoid(f), as in every working implementation, or f itself, as the xLSTM-LSR paper prints it (eq. 20).
m starts at `UNSEEN`, row by row, so that the first event alone sets it: new and returning users may share a batch.
Tensors are feature-major, users last: a step is then H small products and a few contiguous passes. `scan` is the
readable reference; `fused_scan` is the same function with its gradient written out, several times faster to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

UNSEEN = -1e30
"""The stabiliser of a cell that has seen no event."""
NEVER = -2e30
"""log i of a padded event: below `UNSEEN`, so that padding before the first event writes nothing."""
ALWAYS = 1e30
"""f of a padded event: everything is kept."""
TINY = 1e-30


class Memory(NamedTuple):
    """What the cell remembers, fp32 (or fp64): each [H d B]."""

    cell: Tensor
    norm: Tensor
    hidden: Tensor
    peak: Tensor

    @staticmethod
    def zeros(heads: int, size: int, users: int, **kind: Any) -> Memory:
        zero = torch.zeros(heads, size, users, **kind)
        return Memory(zero, zero.clone(), zero.clone(), torch.full_like(zero, UNSEEN))


def mask_gates(gates: Tensor, valid: Tensor) -> Tensor:
    """gates [T H 4 d B] with those of padded events (`valid` [T B] False) set to write nothing and keep all.

    An exponential forget gate keeps all at 0, to which the mixing would add: `scan` and `fused_scan` see to that.
    """
    z, log_i, f, o = gates.unbind(2)
    real = valid[:, None, None, :]
    return torch.stack([z, torch.where(real, log_i, NEVER), torch.where(real, f, ALWAYS), o], dim=2)


def scan(
    gates: Tensor,
    mixing: Tensor,
    memory: Memory,
    valid: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    bounded: bool = False,
    growing: bool = False,
) -> tuple[Tensor, Memory]:
    """gates [T H 4 d B] in the order z, log i, f, o; mixing [H 4 d d'] -> h [T H d B] and the memory at the end.

    `valid` [T B] marks real events; a padded one leaves the memory as it is. `bias` [H 4 d] is added to the gates.
    `bounded` makes the input gate the sigmoid of what stands in its place, instead of the exponential; `growing` the
    forget gate the exponential.
    """
    if bias is not None:
        gates = gates + bias.unsqueeze(-1)
    if valid is not None:
        gates = mask_gates(gates, valid)
    cell, norm, hidden, peak = memory
    out = []
    for t in range(gates.shape[0]):
        z, log_i, f, o = (gates[t] + torch.einsum("hgde,heb->hgdb", mixing, hidden)).unbind(1)
        log_f = f if growing else logsigmoid(f)
        if growing and valid is not None:
            log_f = torch.where(valid[t], log_f, 0.0)
        if bounded:
            log_i = logsigmoid(log_i)
        new_peak = torch.maximum(log_f + peak, log_i)
        take, keep = torch.exp(log_i - new_peak), torch.exp(log_f + peak - new_peak)
        cell = keep * cell + take * torch.tanh(z)
        norm = keep * norm + take
        new_hidden = torch.sigmoid(o) * cell / norm.clamp(min=TINY)
        hidden = new_hidden if valid is None else torch.where(valid[t], new_hidden, hidden)
        peak = new_peak
        out.append(hidden)
    return torch.stack(out), Memory(cell, norm, hidden, peak)


def fused_scan(
    gates: Tensor,
    mixing: Tensor,
    memory: Memory,
    valid: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    bounded: bool = False,
    growing: bool = False,
) -> tuple[Tensor, Memory]:
    """As `scan`; gradients reach `gates`, `mixing` and `bias` through h, never the memory (truncated back-propagation).

    All of it is in the precision of `gates`, also where autocast would round the products. Bias and padding are seen to
    step by step, where the gates of the step are in the cache, and not by passes over all of them.
    """
    start = (part.detach() for part in memory)
    with torch.autocast(gates.device.type, enabled=False):
        hidden, *rest = _FusedScan.apply(gates, mixing, bias, valid, bounded, growing, *start)  # type: ignore[no-untyped-call]
    return hidden, Memory(*rest)


class _FusedScan(torch.autograd.Function):
    """h does not depend on the stabiliser, which cancels in c / n, so the gradient may take it as a constant."""

    @staticmethod
    def forward(
        ctx: Any,
        gates: Tensor,
        mixing: Tensor,
        bias: Tensor | None,
        valid: Tensor | None,
        bounded: bool,
        growing: bool,
        *memory: Tensor,
    ) -> tuple[Tensor, ...]:
        T, H, _, d, B = gates.shape
        cell, norm, hidden, peak = memory
        weight = mixing.reshape(H, 4 * d, d)
        acts = torch.empty_like(gates)  # tanh z, i', f', sigmoid o
        slack = gates.new_empty(T, H, d, B)  # d log f / d f; sigmoid(-f) of a logsigmoid
        room = gates.new_empty(T, H, d, B) if bounded else None  # sigmoid(-i), likewise
        cells, norms, hiddens = (gates.new_empty(T + 1, H, d, B) for _ in range(3))
        cells[0], norms[0], hiddens[0] = cell, norm, hidden
        flat = gates.reshape(T, H, 4 * d, B)
        for t in range(T):
            read = torch.baddbmm(flat[t], weight, hiddens[t]).view(H, 4, d, B)
            if bias is not None:
                read += bias.unsqueeze(-1)
            z, log_i, f, o = read.unbind(1)
            if valid is not None:
                log_i, f = torch.where(valid[t], log_i, NEVER), torch.where(valid[t], f, ALWAYS)
            torch.tanh(z, out=acts[t, :, 0])
            torch.sigmoid(o, out=acts[t, :, 3])
            if growing:
                slack[t] = 1.0 if valid is None else valid[t]
                held = f * slack[t] + peak
            else:
                torch.sigmoid(-f, out=slack[t])
                held = logsigmoid(f).add_(peak)
            if room is not None:
                torch.sigmoid(-log_i, out=room[t])
                log_i = logsigmoid(log_i)
            peak = torch.maximum(held, log_i)
            torch.exp(log_i - peak, out=acts[t, :, 1])
            torch.exp(held.sub_(peak), out=acts[t, :, 2])
            z, take, keep, o = acts[t].unbind(1)
            torch.addcmul(take * z, keep, cells[t], out=cells[t + 1])
            torch.addcmul(take, keep, norms[t], out=norms[t + 1])
            torch.mul(o, cells[t + 1], out=hiddens[t + 1]).div_(norms[t + 1].clamp(min=TINY))
            if valid is not None:
                hiddens[t + 1] = torch.where(valid[t], hiddens[t + 1], hiddens[t])
        ctx.biased = bias is not None
        ctx.save_for_backward(mixing, valid, acts, slack, room, cells, norms, hiddens)
        return hiddens[1:], cells[-1].clone(), norms[-1].clone(), hiddens[-1].clone(), peak

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *unused: Tensor) -> tuple[Tensor | None, ...]:
        mixing, valid, acts, slack, room, cells, norms, hiddens = ctx.saved_tensors
        T, H, _, d, B = acts.shape
        back = mixing.reshape(H, 4 * d, d).transpose(1, 2).contiguous()
        grad_gates = torch.empty_like(acts)
        grad_mixing = acts.new_zeros(H, 4 * d, d)
        dh, dc, dn = (acts.new_zeros(H, d, B) for _ in range(3))
        for t in range(T - 1, -1, -1):
            dh = dh + grad[t]
            passed = None
            if valid is not None:
                passed = torch.where(valid[t], 0.0, dh)
                dh = torch.where(valid[t], dh, 0.0)
            before, after = (cells[t], norms[t]), (hiddens[t + 1], norms[t + 1].clamp(min=TINY))
            step_back((dh, dc, dn), acts[t].unbind(1), before, after, slack[t], grad_gates[t].unbind(1))
            if room is not None:
                grad_gates[t, :, 1].mul_(room[t])
            slope = grad_gates[t].view(H, 4 * d, B)
            grad_mixing.baddbmm_(slope, hiddens[t].transpose(1, 2))
            dh = torch.bmm(back, slope)
            if passed is not None:
                dh = dh + passed
        grad_bias = grad_gates.sum((0, 4)) if ctx.biased else None
        return grad_gates, grad_mixing.view_as(mixing), grad_bias, None, None, None, None, None, None, None


def step_back(
    grads: tuple[Tensor, Tensor, Tensor],
    acts: Sequence[Tensor],
    before: tuple[Tensor, Tensor],
    after: tuple[Tensor, Tensor],
    slack: Tensor,
    out: Sequence[Tensor],
) -> None:
    """The gradient of one step of the cell, all tensors of one shape: that of its gates' inputs is written to `out`.

    grads: of h, c and n after the step; those of c and n become those before it, in place. acts: tanh z, i', f',
    sigmoid o. before: c and n; after: h, and n as it was divided by. slack: d log f / d f.
    """
    dh, dc, dn = grads
    z, take, keep, o = acts
    dz, di, df, do = out
    drawn = dh * after[0]
    torch.addcmul(drawn, drawn, o, value=-1, out=do)
    dn.addcdiv_(drawn, after[1], value=-1)
    dc.addcdiv_(dh * o, after[1])
    into = dc * take
    half = into * z
    torch.addcmul(into, half, z, value=-1, out=dz)
    torch.addcmul(half, dn, take, out=di)
    dc.mul_(keep)
    dn.mul_(keep)
    torch.mul((dc * before[0]).addcmul_(dn, before[1]), slack, out=df)
