"""Every network on the device of the tests beside itself on the CPU: hidden vectors, loss, gradients, states, ranks."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch

from recollect import registry
from recollect.contracts import Events, Network, State, Window
from recollect.data.simulate.generator import SimulateConfig, simulate
from recollect.data.splits import loo
from recollect.evaluate.ranking import rank
from recollect.losses.choice import LossSettings
from recollect.train.objective import Objective

from ..conformance.material import events, hidden_of, remember
from ..conformance.subjects import built, ready, small
from ..device import DEVICE, apart, on_a_named_device

pytestmark = on_a_named_device
CLOSE, ROUNDED = 5e-4, 0.06
"""fp32 on the device beside fp32 on the CPU; bf16 on the device beside it."""
GRADIENT = 5e-3
"""For gradients in fp32: sums over all cells of a batch."""
NETWORKS = [name for name in registry.names() if issubclass(registry.model_class(name), Network)]


@functools.cache
def pair(name: str) -> tuple[Network, Network]:
    """The same network on the CPU and on the device, evaluation mode."""
    there = ready(registry.model_class(name))
    assert isinstance(there, Network)
    here = type(there)(there.config, there.catalog)  # type: ignore[call-arg]
    here.restore({key: tensor.cpu() for key, tensor in there.tensors().items()})
    return here.eval(), there


def batch_for(model: Network) -> Events:
    batch = events([0, 1, 12, 150])
    return batch.span(0, model.window) if isinstance(model, Window) else batch


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_hidden_vectors_scores_and_states(name: str) -> None:
    here, there = pair(name)
    batch = batch_for(there)
    mask = batch.mask
    one, two = hidden_of(here, batch.to("cpu")), hidden_of(there, batch)
    assert two.device.type == DEVICE.type
    if isinstance(there, Window) and not there.causal:  # only the last position means something
        mask = torch.arange(mask.shape[1], device=DEVICE) == batch.lengths[:, None] - 1
    assert apart(one[mask.cpu()], two[mask]) < CLOSE
    before, after = remember(here, batch.to("cpu")), remember(there, batch)
    assert {key: tensor.dtype for key, tensor in before.items()} == {k: tensor.dtype for k, tensor in after.items()}
    assert all(tensor.device.type == DEVICE.type for tensor in after.values())
    assert apart(here.score(before), there.score(after)) < CLOSE
    assert apart(here.score(before), there.score(before.to(DEVICE))) < CLOSE, "a state that was moved to the device"
    assert apart(here.score(before), here.score(State.from_bytes(after.to_bytes()))) < CLOSE, "a state that came back"


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_bf16_on_the_device_is_still_the_same_model(name: str) -> None:
    here, there = pair(name)
    batch = batch_for(there)
    with torch.autocast(DEVICE.type, torch.bfloat16):
        rounded = there.score(remember(there, batch))
    assert rounded.dtype == torch.float32
    exact = here.score(remember(here, batch.to("cpu")))
    gaps = [apart(one, two) for one, two in zip(exact, rounded, strict=True)]
    assert float(np.median(gaps)) < ROUNDED, f"rows are {gaps} of their size away"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_and_its_gradients(name: str) -> None:
    """In evaluation mode where the device allows it, so that nothing is drawn; cuDNN's layers are set to train."""
    found = []
    for model in pair(name):
        model = copy.deepcopy(model).eval()
        for part in model.modules():
            if isinstance(part, torch.nn.RNNBase):
                part.train()
        batch = events([7, 16, 2, 12]).to(model.device)
        if isinstance(model, Window):
            batch = batch.span(0, model.window + 1)
        targets = batch.mask
        if isinstance(model, Window) and not model.causal:
            targets = torch.arange(batch.items.shape[1], device=model.device) == batch.lengths[:, None] - 1
        torch.manual_seed(1)
        draws = _same_draws(model)
        loss, _, _ = Objective(model, LossSettings())(
            {"items": batch.items, "lengths": batch.lengths, "times": batch.times, "targets": targets}, None
        )
        draws()
        loss.backward()
        found.append(
            (loss.detach(), {key: value.grad for key, value in model.named_parameters() if value.grad is not None})
        )
    (one, ours), (two, theirs) = found
    assert float(two) == pytest.approx(float(one), rel=CLOSE)
    assert set(ours) == set(theirs)
    largest = max(float(gradient.abs().max()) for gradient in ours.values())
    for key, gradient in ours.items():
        gap = float((gradient - theirs[key].cpu()).abs().max())
        assert gap <= GRADIENT * max(float(gradient.abs().max()), 1e-2 * largest), f"the gradient of {key}: {gap:.2g}"


def _same_draws(model: Network):  # type: ignore[no-untyped-def]
    """Random numbers of a loss, drawn on the CPU wherever the model is -> what ends it."""
    real = torch.rand

    def drawn(*shape: object, device: object = None, **kind: object) -> torch.Tensor:
        return real(*shape, **kind).to(device)  # type: ignore[call-overload]

    torch.rand = drawn  # type: ignore[assignment]

    def end() -> None:
        torch.rand = real

    return end


@pytest.mark.parametrize("name", ["mlstm4rec", "sasrec", "xlstm-lsr", "gru4rec"])
def test_ranks(name: str) -> None:
    """The same ranks as on the CPU but where scores are within rounding of each other."""
    log = simulate(SimulateConfig(users=150, items=80, topics=4, mean_events=30.0, seed=2)).log
    split = loo(log)
    kind = registry.model_class(name)
    torch.manual_seed(0)
    there = built(kind, small(kind), split.catalog)
    assert isinstance(there, Network)
    here = type(there)(there.config, there.catalog)  # type: ignore[call-arg]
    here.restore({key: tensor.cpu() for key, tensor in there.tensors().items()})
    one, two = (rank(model, log, split.test, seen="hidden").rank for model in (here, there))
    assert np.mean(one == two) > 0.97 and np.abs(one - two).max() <= 2
