"""Losses against a few sampled negatives, for catalogues too large for the full softmax.

Sources: BCE as in SASRec (Kang & McAuley 2018); gBCE (Petrov & Macdonald 2023); BPR (Rendle et al. 2009); sampled
softmax with the logQ correction (Bengio & Senecal 2008; Yi et al. 2019), without which frequent items are pushed down
and in-batch negatives collapse. `negatives` is one set [K] that all targets share, which takes a single product (3,000
are as good as the full softmax on ML-1M), or one set a target [N K], as most of these losses were published, which
takes N x K gathered vectors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from recollect.losses.sparse import Excluded, Scored, among, mixed_into


def draw_negatives(shape: tuple[int, ...], size: int, device: torch.device) -> Tensor:
    """Item codes, uniform over 1 .. size - 1, with replacement."""
    return torch.randint(1, size, shape, device=device)


def _scores(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    negatives: Tensor,
    bias: Tensor | None,
    excluded: Excluded | None,
    scored: Scored | None,
) -> tuple[Tensor, Tensor]:
    """Scores of the targets [N] and of the negatives [N K], fp32; a negative that is the target, or excluded, scores
    -inf."""
    positive = (hidden * table[targets].to(hidden.dtype)).sum(-1).float()
    against = table[negatives].to(hidden.dtype)
    negative = (hidden @ against.T if negatives.dim() == 1 else torch.einsum("nd,nkd->nk", hidden, against)).float()
    if bias is not None:
        positive, negative = positive + bias[targets].float(), negative + bias[negatives].float()
    size, each = len(table), negatives.expand(len(targets), -1)
    if scored is not None:
        positive = mixed_into(positive[:, None], targets[:, None], scored, size).squeeze(1)
        negative = mixed_into(negative, each, scored, size)
    out = negatives == targets[:, None]
    if excluded is not None:
        out = out | among(each, excluded, size)
    return positive, negative.masked_fill(out, -torch.inf)


def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """losses [N] -> their mean, by weights [N] where there are; 0 where nothing weighs anything."""
    if weights is None:
        return losses.mean()
    return (losses * weights).sum() / weights.sum().clamp(min=torch.finfo(torch.float32).tiny)


def sampled_softmax(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    negatives: Tensor,
    bias: Tensor | None = None,
    weights: Tensor | None = None,
    excluded: Excluded | None = None,
    scored: Scored | None = None,
) -> Tensor:
    """hidden [N D], table [V D], targets [N], negatives [K] or [N K] drawn uniformly -> mean loss.

    logQ of a uniform draw is the same for every negative: each counts for (V - 1) / K items of the full sum, the
    target for itself.
    """
    positive, negative = _scores(hidden, table, targets, negatives, bias, excluded, scored)
    negative = negative + math.log((len(table) - 1) / negatives.shape[-1])
    total = torch.logaddexp(positive, negative.logsumexp(-1))
    return _mean(total - positive, weights)


def binary_cross_entropy(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    negatives: Tensor,
    bias: Tensor | None = None,
    calibration: float = 0.0,
    weights: Tensor | None = None,
    excluded: Excluded | None = None,
    scored: Scored | None = None,
) -> Tensor:
    """Target against negatives as yes and no; `calibration` t in [0, 1] is gBCE's, which undoes overconfidence.

    With sampling rate a = K / (V - 2), the positive's log-likelihood is scaled by b = a (t (1 - 1/a) + 1/a). As gBCE is
    published, a target's loss is the mean over it and its K negatives; one that is the target adds nothing to it.
    """
    positive, negative = _scores(hidden, table, targets, negatives, bias, excluded, scored)
    rate = min(1.0, negatives.shape[-1] / max(1, len(table) - 2))
    power = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    finite = negative.isfinite()
    against = torch.where(finite, F.softplus(negative.masked_fill(~finite, 0.0)), 0.0)
    return _mean((power * F.softplus(-positive) + against.sum(-1)) / (negatives.shape[-1] + 1), weights)


def bayesian_personalised_ranking(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    negatives: Tensor,
    bias: Tensor | None = None,
    weights: Tensor | None = None,
    excluded: Excluded | None = None,
    scored: Scored | None = None,
) -> Tensor:
    """Mean over targets and negatives of -log sigmoid(positive - negative)."""
    positive, negative = _scores(hidden, table, targets, negatives, bias, excluded, scored)
    finite = negative.isfinite()
    pairs = torch.where(finite, F.softplus(negative.masked_fill(~finite, 0.0) - positive[:, None]), 0.0)
    if weights is None:
        return pairs.sum() / finite.sum().clamp(min=1)
    total = (finite * weights[:, None]).sum().clamp(min=torch.finfo(torch.float32).tiny)
    return (pairs * weights[:, None]).sum() / total
