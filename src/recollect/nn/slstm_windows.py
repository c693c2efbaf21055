"""The sLSTM cell over overlapped windows, as training reads a short stream: no window is ever copied.

Source: `slstm.fused_scan` over the blocks of `windows.overlapped`, which is the same function, and which a test holds
beside this one. There each event stands in two windows, and all that is made of it is made twice. Here what an event
tells the gates is computed once: windows of 2m - 1 cells that begin m apart, laid side by side as columns in the order
of their beginnings, read a step as one slice, and m steps later the same rows one window further on. Only the first
cells of a window are apart, where the convolution must not look back over its edge. Windows begin from nothing and end
in nothing, so a step needs no masks but those of its gates; the biases ride along as one more row of the mixing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from recollect.nn.slstm import ALWAYS, NEVER, TINY, UNSEEN, step_back


def overlapped_scan(
    inner: Tensor, mixed: Tensor, early: Tensor, valid: Tensor, matrix: Tensor, mixing: Tensor, bias: Tensor, size: int
) -> Tensor:
    """The cell, with its gates as published (exponential input, sigmoid forget gate), over K - 1 windows of a row.

    inner, mixed [B K*m D]: what gates z, o and i, f read; early [B K-1 E D]: what i, f read in the first E <= m cells
    of each window in place of `mixed`. valid [B K*m]; matrix [4D 2D]: the gates' rows by head, gate and channel;
    mixing [H 4 d d], bias [H 4 d]; size: m. -> h [B (K-1)*m H d] at the last m cells of each window. What it gives for
    cells that are not valid means nothing.
    """
    with torch.autocast(inner.device.type, enabled=False):
        wide = (part.float() if part.dtype.itemsize < 4 else part for part in (inner, mixed, early))
        h: Tensor = _OverlappedScan.apply(*wide, valid, matrix, mixing, bias, size)  # type: ignore[no-untyped-call]
    return h


def _steps_first(x: Tensor, size: int) -> Tensor:
    """[B K*m D] -> a view [m D K B]."""
    return x.view(len(x), -1, size, x.shape[-1]).permute(2, 3, 1, 0)


def _rows_first(x: Tensor) -> Tensor:
    """[m D K B] -> [B K*m D]."""
    return x.permute(3, 2, 0, 1).flatten(1, 2)


class _OverlappedScan(torch.autograd.Function):
    """As in `slstm`, the gradient takes the stabiliser as a constant."""

    @staticmethod
    def forward(
        ctx: Any,
        inner: Tensor,
        mixed: Tensor,
        early: Tensor,
        valid: Tensor,
        matrix: Tensor,
        mixing: Tensor,
        bias: Tensor,
        size: int,
    ) -> Tensor:
        B, cells, D = inner.shape
        K, E = cells // size, early.shape[2]
        (H, _, d, _), N, T = mixing.shape, (K - 1) * B, 2 * size - 1
        read, first = inner.new_empty(size, 2 * D, K, B), inner.new_empty(E, 2 * D, K - 1, B)
        read[:, :D], read[:, D:] = _steps_first(inner, size), _steps_first(mixed, size)
        first[:, :D], first[:, D:] = read[:E, :D, :-1], early.permute(2, 3, 1, 0)
        gates = read.new_empty(size, len(matrix), K * B)
        for made, step in zip(gates, read, strict=True):
            torch.mm(matrix, step.view(2 * D, -1), out=made)
        starts = [matrix @ step.flatten(1) for step in first]
        gone = ~valid.view(B, K, size).permute(2, 1, 0).reshape(size, 1, 1, -1)
        for step, padded in ((gates, gone), *((one, gone[t, ..., :N]) for t, one in enumerate(starts))):
            by_head = step.unflatten(-2, (H, 4, d))
            by_head.select(-3, 1).masked_fill_(padded, NEVER)
            by_head.select(-3, 2).masked_fill_(padded, ALWAYS)

        weight = torch.cat([mixing.reshape(H, 4 * d, d), bias.reshape(H, 4 * d, 1)], dim=-1)
        acts = gates.new_empty(T, 4, H, d, N)  # tanh z, i', f', sigmoid o
        memory, norms, kept = gates.new_empty(T + 1, H, d, N), gates.new_empty(T + 1, H, d, N), list[Tensor]()
        hidden = gates.new_empty(T + 1, H, d + 1, N)
        memory[0], norms[0], hidden[0], hidden[:, :, d] = 0, 0, 0, 1
        peak = torch.full_like(norms[0], UNSEEN)
        told = gates.new_empty(H, 4 * d, N)
        for t in range(T):
            past, place = divmod(t, size)
            own = starts[t] if t < E else gates[place, :, past * B : past * B + N]
            torch.baddbmm(own.view(H, 4 * d, N), weight, hidden[t], out=told)
            z, log_i, f, o = told.view(H, 4, d, N).unbind(1)
            own_z, take, keep, own_o = acts[t].unbind()
            z, o = torch.tanh(z, out=own_z), torch.sigmoid(o, out=own_o)
            kept.append(logsigmoid(f))
            held = kept[t] + peak
            peak = torch.maximum(held, log_i)
            torch.exp(torch.sub(log_i, peak, out=take), out=take)
            torch.exp(torch.sub(held, peak, out=keep), out=keep)
            torch.addcmul(take * z, keep, memory[t], out=memory[t + 1])
            torch.addcmul(take, keep, norms[t], out=norms[t + 1]).clamp_(min=TINY)
            torch.mul(o, memory[t + 1], out=hidden[t + 1, :, :d]).div_(norms[t + 1])
        ctx.save_for_backward(read, first, matrix, weight, acts, memory, norms, hidden, *kept)
        last = hidden[size:, :, :d].unflatten(-1, (K - 1, B))  # type: ignore[no-untyped-call]
        result: Tensor = last.permute(4, 3, 0, 1, 2).flatten(1, 2)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        read, first, matrix, weight, acts, memory, norms, hidden, *kept = ctx.saved_tensors
        (size, _, K, B), E, (T, _, H, d, N) = read.shape, len(first), acts.shape
        D = H * d
        slopes = grad.reshape(B, K - 1, size, H, d).permute(2, 3, 4, 1, 0).reshape(size, H, d, N)
        back, across = weight[..., :d].mT.contiguous(), matrix.T.contiguous()
        grad_gates, grad_read, grad_early = acts.new_empty(size, 4 * D, K * B), torch.empty_like(read), []
        grad_matrix, grad_weight = torch.zeros_like(matrix), torch.zeros_like(weight)
        slope = acts.new_empty(H, 4, d, N)
        rows, by_head = slope.view(4 * D, N), slope.view(H, 4 * d, N)
        dh, dc, dn = (acts.new_zeros(H, d, N) for _ in range(3))
        for t in range(T - 1, -1, -1):
            past, place = divmod(t, size)
            if t + 1 >= size:
                dh += slopes[t + 1 - size]
            before, after = (memory[t], norms[t]), (hidden[t + 1, :, :d], norms[t + 1])
            slack = torch.expm1(kept[t]).neg_()  # of logsigmoid(f) it is sigmoid(-f) = 1 - e^(log f)
            step_back((dh, dc, dn), acts[t].unbind(), before, after, slack, slope.unbind(1))
            grad_weight.baddbmm_(by_head, hidden[t].mT)
            dh = torch.bmm(back, by_head)
            shared = grad_gates[place]
            if past:
                shared[:, :B], shared[:, B:] = 0, rows
            elif place == size - 1:
                shared[:, :N], shared[:, N:] = rows if t >= E else 0, 0
            elif t >= E:
                shared[:, :N] += rows
            if t < size:
                torch.mm(across, shared, out=grad_read[place].view(2 * D, K * B))
                grad_matrix.addmm_(shared, read[place].view(2 * D, K * B).T)
            if t < E:
                at_edge = (across @ rows).view(2 * D, K - 1, B)
                grad_matrix.addmm_(rows, first[t].view(2 * D, N).T)
                grad_read[place, :D, :-1] += at_edge[:D]
                grad_early.append(at_edge[D:])
        edge = torch.stack(grad_early[::-1]).permute(3, 2, 0, 1) if E else first.new_zeros(B, K - 1, 0, D)
        return (
            _rows_first(grad_read[:, :D]),
            _rows_first(grad_read[:, D:]),
            edge,
            None,
            grad_matrix,
            grad_weight[..., :d].reshape(H, 4, d, d),
            grad_weight[..., d].reshape(H, 4, d),
            None,
        )
