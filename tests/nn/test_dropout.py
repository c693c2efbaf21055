"""Dropout by bytes: rate, expectation and scale are those of torch's, and a seed decides the mask."""

from __future__ import annotations

import pytest
import torch

from recollect.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.9])
def test_rate_and_expectation(p: float) -> None:
    torch.manual_seed(0)
    drop = Dropout(p).train()
    y = drop(torch.ones(1000, 1001))
    rate = round(p * 256) / 256
    error = (rate * (1 - rate) / y.numel()) ** 0.5
    assert abs(float((y == 0).double().mean()) - rate) < 5 * error
    assert abs(rate - p) <= 1 / 512
    assert torch.unique(y).tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert abs(float(y.double().mean()) - 1) < 5 * error / (1 - rate)


def test_cells_are_dropped_independently() -> None:
    """Eight cells come from one draw: neighbours must not know of each other."""
    torch.manual_seed(1)
    y = (Dropout(0.25).train()(torch.ones(200_000, 8)) == 0).double()
    correlation = torch.corrcoef(y.T) - torch.eye(8)
    assert correlation.abs().max() < 5 / 200_000**0.5


def test_the_seed_decides() -> None:
    drop, x = Dropout(0.3).train(), torch.randn(7, 13)
    torch.manual_seed(5)
    one, other = drop(x), drop(x)
    torch.manual_seed(5)
    assert torch.equal(drop(x), one) and not torch.equal(one, other)


def test_gradient_is_the_mask() -> None:
    torch.manual_seed(2)
    x = torch.randn(50, 3, requires_grad=True)
    y = Dropout(0.5).train()(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x, y)


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0, 2), (2, 3, 5)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_shape_and_dtype_stay(shape: tuple[int, ...], kind: torch.dtype) -> None:
    y = Dropout(0.4).train()(torch.ones(shape, dtype=kind))
    assert y.shape == shape and y.dtype == kind


def test_nothing_happens_in_evaluation_or_at_rate_zero() -> None:
    x = torch.randn(10)
    assert torch.equal(Dropout(0.5).eval()(x), x) and torch.equal(Dropout(0.0).train()(x), x)


def test_the_largest_rate_is_finite_and_a_rate_of_one_is_refused() -> None:
    torch.manual_seed(0)
    y = Dropout(0.9999).train()(torch.ones(100_000))
    assert y.isfinite().all() and 0 < float(y.mean()) < 2
    with pytest.raises(ValueError, match="dropout rate"):
        Dropout(1.0)
