"""Items that are no candidates, and logits that are added to: every loss against its dense form, with gradients."""

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
from recollect.losses.sparse import Added, Excluded, Lists


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


def values_in(out: Tensor) -> Tensor:
    """[N V] float64: a number where `out` is, 0 elsewhere."""
    return torch.where(out, torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64), 0)


def as_added(dense: Tensor) -> Added:
    """The entries of a dense table as lists; gradients reach the table."""
    listed = as_lists(dense != 0)
    return Added(listed.lists, listed.items, dense[listed.lists.targets, listed.items])


@given(
    N=st.integers(1, 30),
    V=st.integers(2, 20),
    cells=st.integers(1, 100),
    also=st.booleans(),
    calm=st.sampled_from([0.0, full.CALM]),
    seed=st.integers(0, 500),
)
def test_what_is_added_is_part_of_the_logits_and_gets_its_gradient(
    N: int, V: int, cells: int, also: bool, calm: float, seed: int
) -> None:
    hidden, table, bias, targets, out = draw(N, V, seed)
    dense, weights = values_in(out).requires_grad_(), torch.rand(N, dtype=torch.float64)
    gone = torch.roll(out, 1, dims=1) & also
    gone[:, 0] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "CHUNK_CELLS", cells)
        patch.setattr(full, "CALM", calm)
        excluded = as_lists(gone) if also else None
        ours = full_cross_entropy(hidden, table, targets, bias, weights, excluded, as_added(dense))
    logits = (hidden @ table.T + bias + dense).masked_fill(apart_from_targets(gone, targets), -torch.inf)
    theirs = (F.cross_entropy(logits[:, 1:], targets - 1, reduction="none") * weights).sum() / weights.sum()
    torch.testing.assert_close(ours, theirs)
    inputs = (hidden, table, bias, dense)
    *found, added = torch.autograd.grad(ours, inputs)
    *wanted, everywhere = torch.autograd.grad(theirs, inputs)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(added, torch.where(dense != 0, everywhere, 0))


@given(N=st.integers(1, 10), V=st.integers(3, 12), shared=st.booleans(), seed=st.integers(0, 300))
def test_sampled_losses_add_to_positives_and_negatives(N: int, V: int, shared: bool, seed: int) -> None:
    hidden, table, bias, targets, out = draw(N, V, seed)
    negatives = torch.randint(1, V, (7,) if shared else (N, 7), generator=torch.Generator().manual_seed(seed))
    dense = values_in(out).requires_grad_()
    logits = hidden @ table.T + bias + dense
    wide = negatives.expand(N, -1)
    positive, against = logits.gather(1, targets[:, None])[:, 0], logits.gather(1, wide)
    gone = wide == targets[:, None]
    theirs = (F.softplus(-positive) + F.softplus(against).masked_fill(gone, 0).sum(-1)).mean() / 8
    ours = binary_cross_entropy(hidden, table, targets, negatives, bias, added=as_added(dense))
    torch.testing.assert_close(ours, theirs, check_dtype=False, rtol=1e-5, atol=1e-5)
    (one,), (two,) = (torch.autograd.grad(loss, dense) for loss in (ours + 0 * dense.sum(), theirs))
    torch.testing.assert_close(one, torch.where(dense != 0, two, 0), rtol=1e-4, atol=1e-6)
