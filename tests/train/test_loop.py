"""The loop: it learns, keeps the best, stops in time, says what went wrong, and its rate follows the schedule."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from recollect import registry
from recollect.contracts import Carried, Catalog, Events, Network, State
from recollect.data.histories import Ragged
from recollect.data.log import DataError
from recollect.data.splits import loo
from recollect.models.gru4rec import GRU4Rec
from recollect.train.loop import make_optimizer, rate_at, train
from recollect.train.progress import Silent
from recollect.train.settings import TrainSettings

from .material import SMALL, log, run, settings


def small_model() -> GRU4Rec:
    torch.manual_seed(0)
    return GRU4Rec(GRU4Rec.Config(**SMALL["gru4rec"]), loo(log()).catalog)


class Judge:
    """A validation that gives prepared figures and keeps the weights it was shown."""

    def __init__(self, *figures: float) -> None:
        self.figures, self.shown = list(figures), list[dict[str, torch.Tensor]]()

    def __call__(self, model: Network) -> dict[str, float]:
        self.shown.append({name: t.detach().clone() for name, t in model.state_dict().items()})
        value = self.figures[len(self.shown) - 1]
        return {"hr@10": value, "ndcg@10": value}


@pytest.mark.parametrize("name", [name for name in SMALL if name != "bert4rec"])
def test_every_network_learns(name: str) -> None:
    """BERT4Rec has a fifth of the targets and takes far longer on walks like these; the law of learning teaches it."""
    trained = run(name, epochs=6, learning_rate=0.02)
    losses = [row["loss"] for row in trained.history]
    assert losses[0] < math.log(30) + 1.5 and losses[-1] < 0.75 * losses[0], losses
    assert trained.best_epoch > 0
    assert not any(module.training for module in trained.model.modules())  # type: ignore[attr-defined]


def test_every_training_event_is_counted_once_an_epoch() -> None:
    trained = run("gru4rec")
    assert [row["targets"] for row in trained.history] == [len(loo(log()).train.items)] * 2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    one, two, other = (run("xlstm-lsr", epochs=1, seed=seed).model.tensors() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_best_weights_come_back() -> None:
    model, judge = small_model(), Judge(0.1, 0.5, 0.2, 0.3)
    progress = train(model, loo(log()).train, settings(epochs=4), judge, Silent())
    assert progress.best_epoch == 2 and progress.best == 0.5
    best, last = judge.shown[1], judge.shown[3]
    now = model.state_dict()
    assert all(torch.equal(now[name], best[name]) for name in now)
    assert any(not torch.equal(now[name], last[name]) for name in now)


@pytest.mark.parametrize("patience, every, figures, epochs", [
    (2, 1, [0.3, 0.4, 0.2, 0.4, 0.9], 4),  # an equal figure is no better one
    (1, 2, [0.3, 0.2, 0.9], 4),
    (9, 1, [0.3] * 6, 6),
    (1, 4, [0.3, 0.4], 6),  # the last epoch is always validated
])  # fmt: skip
def test_patience_counts_validations(patience: int, every: int, figures: list[float], epochs: int) -> None:
    judge = Judge(*figures)
    chosen = settings(epochs=6, patience=patience, validate_every=every, learning_rate=1e-4)
    progress = train(small_model(), loo(log()).train, chosen, judge, Silent())
    assert progress.epoch == epochs


def test_minutes_end_the_run_at_an_epochs_end() -> None:
    progress = train(small_model(), loo(log()).train, settings(epochs=50, minutes=1e-9), Judge(*[0.1] * 50), Silent())
    assert progress.epoch == 1 and progress.step == 0


@pytest.mark.parametrize("where", ["loss", "own loss", "gradient"])
def test_a_loss_that_is_no_number_is_one_clear_line_and_spares_the_checkpoint(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = small_model(), tmp_path / "checkpoint.safetensors"

    class Spoils(Silent):
        def step(self, place: Any, steps: int) -> None:
            if place.steps_done != 5:
                return
            if where == "loss":
                monkeypatch.setattr(model.net.out[1], "eps", torch.nan)
            elif where == "own loss":
                term = lambda self, hidden, aux, mask: (hidden.sum() * torch.inf, {})  # noqa: E731
                monkeypatch.setattr(GRU4Rec, "own_loss", term, raising=False)
            else:
                model.net.out[0].weight.register_hook(lambda grad: grad * torch.nan)

    with pytest.raises(DataError, match=r"became (nan|inf|-inf).*smaller train\.learning_rate") as caught:
        train(model, loo(log()).train, settings(checkpoint_minutes=0), Judge(0, 0), Spoils(), save_to=path)
    assert "\n" not in str(caught.value)
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["run"])["progress"]["steps_done"] == 5
        spoilt = [name for name in file.keys() if not file.get_tensor(name).isfinite().all()]  # noqa: SIM118
    assert spoilt == [], "a spoilt model reached the checkpoint"


def test_nothing_to_learn_from_is_said() -> None:
    single = Ragged(np.array([1, 2]), np.array([0, 0]), np.array([0, 1, 2]))
    model = GRU4Rec(GRU4Rec.Config(), Catalog(3))
    with pytest.raises(DataError, match="no user has two training events"):
        train(model, single, settings(), Judge(), Silent())


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    chosen = TrainSettings(learning_rate=0.4, warmup=10, final_rate=0.25)
    assert [rate_at(chosen, step, 110) for step in (0, 4, 9)] == pytest.approx([0.04, 0.2, 0.4])
    assert rate_at(chosen, 10, 110) == pytest.approx(0.4)
    assert rate_at(chosen, 60, 110) == pytest.approx(0.25)  # halfway between 0.4 and 0.1
    assert rate_at(chosen, 110, 110) == rate_at(chosen, 999, 110) == pytest.approx(0.1)
    falling = [rate_at(chosen, step, 110) for step in range(10, 111)]
    assert falling == sorted(falling, reverse=True)
    assert rate_at(TrainSettings(learning_rate=0.4, warmup=0), 0, 5) == pytest.approx(0.4)


def test_the_optimiser_is_given_the_scheduled_rate() -> None:
    seen: list[float] = []
    real = torch.optim.AdamW.step

    def spy(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        seen.append(self.param_groups[0]["lr"])
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", spy)
        run("gru4rec", epochs=1, warmup=4, learning_rate=0.01)
    total = len(seen)
    assert seen == pytest.approx([rate_at(settings(warmup=4, learning_rate=0.01), s, total) for s in range(total)])


def test_decay_is_for_matrices_other_than_the_table() -> None:
    model = small_model()
    decayed, spared = make_optimizer(model, settings(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3 and spared["weight_decay"] == 0
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {
        "net.rnn.layers.0.weight_ih_l0", "net.rnn.layers.0.weight_hh_l0", "net.out.0.weight"
    }  # fmt: skip
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


@pytest.mark.parametrize(("name", "inside"), [("xlstm-lsr", ".bias"), ("slstm4rec", ".bias"), ("mamba4rec", ".A_log")])
def test_a_bias_a_head_and_a_rate_in_logarithms_are_not_decayed(name: str, inside: str) -> None:
    kind = registry.model_class(name)
    model = kind(kind.Config(), loo(log()).catalog)
    assert isinstance(model, Network)
    decayed, spared = make_optimizer(model, settings(weight_decay=0.3)).param_groups
    called = {id(p): name for name, p in model.named_parameters()}
    tables = [called[id(p)] for p in spared["params"] if p.ndim >= 2]
    assert any(name.endswith(inside) for name in tables), tables
    assert not [called[id(p)] for p in decayed["params"] if "norm" in called[id(p)]]


def test_gradients_are_clipped() -> None:
    """With a tiny bound AdamW's first step is the same for a loss of any size, and a step is still taken."""
    norms: list[float] = []
    real = torch.optim.AdamW.step

    def spy(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.cat([g.flatten() for g in grads]).norm()))
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", spy)
        run("gru4rec", epochs=1, clip=0.01)
    assert max(norms) <= 0.01 * 1.001 and max(norms) > 0.0099


def test_bf16_trains_and_leaves_fp32_weights() -> None:
    trained = run("xlstm-lsr", epochs=3, precision="bf16", learning_rate=0.02)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    assert all(t.dtype == torch.float32 for t in trained.model.tensors().values() if t.is_floating_point())


@pytest.mark.parametrize("clock", [True, False])
def test_a_log_without_a_clock_shows_no_times(clock: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, real = set[bool](), GRU4Rec.forward

    def spy(self: GRU4Rec, events: Events, state: State) -> Any:
        shown.add(events.times is not None)
        return real(self, events, state)

    monkeypatch.setattr(GRU4Rec, "forward", spy)
    train(small_model(), loo(log()).train, settings(epochs=1), Judge(0.1), Silent(), clock=clock)
    assert shown == {clock}


CARRIED = [name for name in SMALL if issubclass(registry.model_class(name), Carried)]


@pytest.mark.parametrize("name", CARRIED)
def test_a_state_is_carried_as_it_was_left_also_in_bf16(name: str) -> None:
    """What a segment hands to the next is not rounded on the way: fp32 memories stay fp32."""
    kind, left, found = registry.model_class(name), list[State](), list[State]()
    real = kind.forward  # type: ignore[attr-defined]

    def spy(self: Network, events: Events, state: State) -> Any:
        found.append(state)
        hidden, after, aux = real(self, events, state)
        left.append(after)
        return hidden, after, aux

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "forward", spy)
        run(name, epochs=1, precision="bf16", batches={"tokens": 64, "segment": 4, "interleave": 1})
    taken_up = 0
    for before, after in pairwise(range(len(found))):
        given, taken = left[before], found[after]
        if given.users == taken.users and all(torch.equal(given[part].to(taken[part]), taken[part]) for part in given):
            taken_up += 1
            assert all(given[part].dtype == taken[part].dtype for part in given)
    assert taken_up > 0, "nothing was carried, so nothing was shown"
