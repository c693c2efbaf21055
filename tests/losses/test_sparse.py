"""Items that are no candidates, and items that were met: every loss against its dense form, with gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from recollect.losses import full
from recollect.losses.choice import LossSettings, loss_of
from recollect.losses.full import full_cross_entropy
from recollect.losses.sampled import bayesian_personalised_ranking, binary_cross_entropy, sampled_softmax
from recollect.losses.sparse import Excluded, Lists, Scored


def draw(N: int, V: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """hidden, table, bias, targets, and [N V] bool: what is excluded; some targets are in their own list."""
    made = torch.Generator().manual_seed(seed)
    hidden, table, bias = (
        torch.randn(*shape, generator=made, dtype=torch.float64).requires_grad_() for shape in ((N, 4), (V, 4), (V,))
    )
    targets = torch.randint(1, V, (N,), generator=made)
    out = torch.rand(N, V, generator=made) < 0.4
    out[:, 0] = False
    return hidden, table, bias, targets, out


def as_lists(out: Tensor) -> Excluded:
    """The same as ragged lists, kept in one long list as a batch keeps them."""
    item = out.nonzero(as_tuple=True)[1]
    counts = out.sum(1)
    starts = counts.cumsum(0) - counts
    lists = Lists.of(starts, counts)
    return Excluded(lists, item[lists.places])


def apart_from_targets(out: Tensor, targets: Tensor) -> Tensor:
    return out.scatter(1, targets[:, None], False)


@given(
    N=st.integers(1, 30),
    V=st.integers(2, 20),
    cells=st.integers(1, 100),
    calm=st.sampled_from([0.0, full.CALM]),
    seed=st.integers(0, 500),
)
def test_the_full_softmax_is_the_dense_one_over_what_is_left(
    N: int, V: int, cells: int, calm: float, seed: int
) -> None:
    hidden, table, bias, targets, out = draw(N, V, seed)
    weights = torch.rand(N, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "CHUNK_CELLS", cells)
        patch.setattr(full, "CALM", calm)
        ours = full_cross_entropy(hidden, table, targets, bias, weights, as_lists(out))
    logits = (hidden @ table.T + bias).masked_fill(apart_from_targets(out, targets), -torch.inf)
    dense = F.cross_entropy(logits[:, 1:], targets - 1, reduction="none")
    theirs = (dense * weights).sum() / weights.sum()
    torch.testing.assert_close(ours, theirs)
    inputs = (hidden, table, bias)
    for one, two in zip(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs), strict=True):
        torch.testing.assert_close(one, two)


@given(N=st.integers(1, 10), V=st.integers(3, 12), shared=st.booleans(), seed=st.integers(0, 300))
def test_sampled_losses_leave_out_what_is_excluded(N: int, V: int, shared: bool, seed: int) -> None:
    hidden, table, bias, targets, out = draw(N, V, seed)
    negatives = torch.randint(1, V, (7,) if shared else (N, 7), generator=torch.Generator().manual_seed(seed))
    wide = negatives.expand(N, -1)
    gone = apart_from_targets(out, targets).gather(1, wide) | (wide == targets[:, None])
    positive = (hidden * table[targets]).sum(-1) + bias[targets]
    against = torch.einsum("nd,nkd->nk", hidden, table[wide]) + bias[wide]
    lists = as_lists(out)
    softmax = torch.logaddexp(positive, (against + math.log((V - 1) / 7)).masked_fill(gone, -torch.inf).logsumexp(-1))
    pairs = F.softplus(against - positive[:, None]).masked_fill(gone, 0)
    yes_and_no = F.softplus(-positive) + F.softplus(against).masked_fill(gone, 0).sum(-1)
    for ours, theirs in (
        (sampled_softmax(hidden, table, targets, negatives, bias, excluded=lists), (softmax - positive).mean()),
        (
            bayesian_personalised_ranking(hidden, table, targets, negatives, bias, excluded=lists),
            pairs.sum() / (~gone).sum().clamp(min=1),
        ),
        (binary_cross_entropy(hidden, table, targets, negatives, bias, excluded=lists), yes_and_no.mean() / 8),
    ):
        torch.testing.assert_close(ours, theirs, check_dtype=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["full", "sampled", "bce", "gbce", "bpr"])
def test_nothing_excluded_is_the_loss_as_it_was(kind: str) -> None:
    hidden, table, bias, targets, out = draw(6, 9, 0)
    found = []
    for lists in (None, as_lists(torch.zeros_like(out))):
        torch.manual_seed(0)
        found.append(loss_of(LossSettings(kind=kind), hidden, table, targets, bias, excluded=lists))
    torch.testing.assert_close(*found)


def test_where_nothing_is_left_but_the_target_nothing_is_to_be_learnt() -> None:
    hidden, table, bias, targets, out = draw(5, 6, 1)
    out[:, 1:] = True
    loss = full_cross_entropy(hidden, table, targets, bias, None, as_lists(out))
    assert loss == 0
    assert all(not grad.any() for grad in torch.autograd.grad(loss, (hidden, table, bias)))


def head(out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """kept [N], share [N] and scores [N V] of a repeat head, float64."""
    made = torch.Generator().manual_seed(1)
    kept, share, scores = (
        torch.randn(shape, generator=made, dtype=torch.float64) for shape in (len(out),) * 2 + (out.shape,)
    )
    return tuple(one.detach().requires_grad_() for one in (kept, share.sigmoid(), scores))  # type: ignore[return-value]


def dense_logits(logits: Tensor, met: Tensor, kept: Tensor, share: Tensor, scores: Tensor) -> Tensor:
    """The sum of both ways to choose what was met, as probabilities are summed."""
    again = (kept[:, None] + logits).exp() + (scores + share[:, None] * logits).exp()
    return torch.where(met, again.log(), logits)


def as_scored(met: Tensor, kept: Tensor, share: Tensor, scores: Tensor) -> Scored:
    """The entries of a dense table as lists; gradients reach the table."""
    listed = as_lists(met)
    return Scored(listed.lists, listed.items, kept, share, scores[listed.lists.targets, listed.items])


@given(
    N=st.integers(1, 30),
    V=st.integers(2, 20),
    cells=st.integers(1, 100),
    also=st.booleans(),
    calm=st.sampled_from([0.0, full.CALM]),
    seed=st.integers(0, 500),
)
def test_what_was_met_has_mixed_logits_and_all_get_their_gradients(
    N: int, V: int, cells: int, also: bool, calm: float, seed: int
) -> None:
    hidden, table, bias, targets, met = draw(N, V, seed)
    learnt, weights = head(met), torch.rand(N, dtype=torch.float64)
    gone = torch.roll(met, 1, dims=1) & also
    gone[:, 0] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "CHUNK_CELLS", cells)
        patch.setattr(full, "CALM", calm)
        excluded = as_lists(gone) if also else None
        ours = full_cross_entropy(hidden, table, targets, bias, weights, excluded, as_scored(met, *learnt))
    logits = dense_logits(hidden @ table.T + bias, met, *learnt).masked_fill(
        apart_from_targets(gone, targets), -torch.inf
    )
    theirs = (F.cross_entropy(logits[:, 1:], targets - 1, reduction="none") * weights).sum() / weights.sum()
    torch.testing.assert_close(ours, theirs)
    inputs = (hidden, table, bias, *learnt)
    torch.testing.assert_close(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs))


@given(N=st.integers(1, 10), V=st.integers(3, 12), shared=st.booleans(), seed=st.integers(0, 300))
def test_sampled_losses_mix_positives_and_negatives(N: int, V: int, shared: bool, seed: int) -> None:
    hidden, table, bias, targets, met = draw(N, V, seed)
    negatives = torch.randint(1, V, (7,) if shared else (N, 7), generator=torch.Generator().manual_seed(seed))
    learnt = head(met)
    logits = dense_logits(hidden @ table.T + bias, met, *learnt)
    wide = negatives.expand(N, -1)
    positive, against = logits.gather(1, targets[:, None])[:, 0], logits.gather(1, wide)
    gone = wide == targets[:, None]
    theirs = (F.softplus(-positive) + F.softplus(against).masked_fill(gone, 0).sum(-1)).mean() / 8
    ours = binary_cross_entropy(hidden, table, targets, negatives, bias, scored=as_scored(met, *learnt))
    torch.testing.assert_close(ours, theirs, check_dtype=False, rtol=1e-5, atol=1e-5)
    inputs = (hidden, table, *learnt)
    found = torch.autograd.grad(ours + 0 * sum(one.sum() for one in learnt), inputs)
    torch.testing.assert_close(found, torch.autograd.grad(theirs, inputs), rtol=1e-4, atol=1e-5)


def test_what_scores_very_high_or_low_stays_finite() -> None:
    """The head can make sure that what was met comes again, or that it never does."""
    hidden, table, bias, targets, met = draw(8, 6, 3)
    met = met.scatter(1, targets[:, None], True)
    for kept, score in ((-200.0, 200.0), (-200.0, -200.0), (200.0, -200.0)):
        learnt = [torch.full((8,), kept), torch.full((8,), 0.5), torch.full((8, 6), score)]
        inputs = [one.double().requires_grad_() for one in learnt]
        loss = full_cross_entropy(hidden, table, targets, bias, scored=as_scored(met, *inputs))
        for grad in torch.autograd.grad(loss, (hidden, table, bias, *inputs)):
            assert loss.isfinite() and grad.isfinite().all()
