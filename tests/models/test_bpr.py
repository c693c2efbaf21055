"""BPR: slopes against autograd, training against one triple at a time, and a checkerboard that has to be learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recollect.contracts import Catalog, Events
from recollect.counting.draws import draw_generator
from recollect.models.bpr import BPR, gradients

from ..counting.material import Rows, ragged

SIZE = 21


def checkerboard(users: int = 60, seed: int = 0) -> Rows:
    """Half of the users meet some of the even items, half some of the odd ones."""
    draw = np.random.default_rng(seed)
    return [draw.permutation(np.arange(1 + user % 2, SIZE, 2))[:6].tolist() for user in range(users)]


def fitted(rows: Rows, seed: int = 0, **settings: float) -> BPR:
    torch.manual_seed(seed)
    model = BPR(BPR.Config(**{"width": 4, "learning_rate": 0.1, "batch": 16, **settings}), Catalog(SIZE))
    model.fit(ragged(rows))
    return model


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_slopes_are_those_of_autograd(l2: float) -> None:
    draw = torch.Generator().manual_seed(0)
    user, better, worse = (torch.randn(6, 4, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(3))
    up, down = (torch.randn(6, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2))
    triple = (user, better, worse, up, down)
    lead = (user * better).sum(1) + up - (user * worse).sum(1) - down
    (-torch.nn.functional.logsigmoid(lead).sum() + l2 / 2 * sum((part**2).sum() for part in triple)).backward()
    for part, slope in zip(triple, gradients(*(part.detach() for part in triple), l2), strict=True):
        assert part.grad is not None and torch.allclose(slope, part.grad)


def test_training_is_one_triple_at_a_time() -> None:
    rows, rate, l2 = checkerboard(8), 0.05, 0.02
    model = fitted(rows, epochs=2, batch=1, learning_rate=rate, l2=l2, width=3, seed=4)
    torch.manual_seed(4)
    draw = draw_generator()
    people, items = (draw.standard_normal((n, 3), np.float32).astype(float) / 3**0.5 for n in (len(rows), SIZE))
    bias = np.zeros(SIZE)
    pairs = [(user, item) for user, row in enumerate(rows) for item in sorted(row)]
    for _ in range(2):
        order, others = draw.permutation(len(pairs)), draw.integers(1, SIZE, len(pairs))
        for place, worse in zip(order, others, strict=True):
            user, better = pairs[place]
            if worse in rows[user]:
                continue
            p, q, r = people[user].copy(), items[better].copy(), items[worse].copy()
            miss = 1 / (1 + np.exp(p @ (q - r) + bias[better] - bias[worse]))
            people[user] += rate * (miss * (q - r) - l2 * p)
            items[better] += rate * (miss * p - l2 * q)
            items[worse] += rate * (-miss * p - l2 * r)
            bias[better] += rate * (miss - l2 * bias[better])
            bias[worse] += rate * (-miss - l2 * bias[worse])
    tensors = model.tensors()
    assert np.allclose(tensors["items"].numpy(), items, atol=1e-5)
    assert np.allclose(tensors["bias"].numpy(), bias, atol=1e-5)
    means = np.array([items[row].mean(0) for row in rows])
    nearest, *_ = np.linalg.lstsq(means.reshape(-1, 1), people.reshape(-1), rcond=None)
    assert float(tensors["scale"]) == pytest.approx(nearest[0], rel=1e-4)


def test_scores_are_scaled_means_of_what_is_remembered() -> None:
    model = fitted(checkerboard(), epochs=5, decay=0.5, history=2)
    items, bias, scale = (model.tensors()[name].numpy() for name in ("items", "bias", "scale"))
    scores = model.score(model.advance(model.fresh(1), Events.of([[9, 3, 4]]))).numpy()[0]
    user = scale * (items[3] / 2 + items[4]) / 1.5
    assert np.allclose(scores[1:], (items @ user + bias)[1:], atol=1e-5)


def test_it_learns_a_checkerboard() -> None:
    model = fitted(checkerboard(), epochs=60)
    assert model.tensors()["scale"] > 0
    scores = model.score(model.advance(model.fresh(2), Events.of([[1, 5], [2, 8]])))[:, 1:]
    colour = np.arange(1, SIZE) % 2
    for row, own in zip(scores.numpy(), (1, 0), strict=True):
        assert row[colour == own].min() > row[colour != own].max()


def test_the_seed_decides_the_result() -> None:
    one, same, other = (fitted(checkerboard(), epochs=2, seed=seed).tensors() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.allclose(one["items"], other["items"])


def test_who_met_everything_teaches_nothing() -> None:
    everything = [list(range(1, SIZE))]
    before, after = (fitted(everything, epochs=epochs, l2=0.0).tensors() for epochs in (1, 5))
    assert torch.equal(before["items"], after["items"]) and not after["bias"].any()
