"""Training on the device of the tests: it learns, is taken up where it stopped, and what it made works on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recollect import artifact
from recollect.data.splits import loo
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.recommend import recommend
from recollect.train.fit import CHECKPOINT
from recollect.train.loop import Interrupted

from ..device import DEVICE, apart, on_a_named_device
from ..train.material import SMALL, log, run
from ..train.test_loop_resume import Stops

pytestmark = on_a_named_device


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("name", sorted(set(SMALL) - {"bert4rec"}))  # which starts too slowly for so few steps
def test_it_learns(name: str, precision: str) -> None:
    trained = run(name, precision=precision, epochs=8)
    assert next(iter(trained.model.tensors().values())).device.type == DEVICE.type
    losses = [row["loss"] for row in trained.history]
    assert losses[-1] < 0.97 * losses[0], f"losses {losses}"
    assert all(tensor.isfinite().all() for tensor in trained.model.tensors().values())


@pytest.mark.parametrize("name", ["xlstm-lsr", "gru4rec", "sasrec"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(name: str, tmp_path: Path) -> None:
    """Within what sums in no fixed order do over two epochs; a lost moment, state or random number does far more."""
    import signal

    whole = run(name)
    with pytest.raises(Interrupted):
        run(name, tmp_path, Stops(7, signal.SIGINT))
    resumed = run(name, tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).is_file()
    for key, tensor in whole.model.tensors().items():
        assert apart(tensor, resumed.model.tensors()[key]) < 0.01, key
    for one, two in zip(whole.history, resumed.history, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=2e-3) and two["targets"] == one["targets"]


@pytest.mark.parametrize("name", ["xlstm-lsr", "sasrec"])
def test_an_artifact_made_here_answers_on_the_cpu(name: str, tmp_path: Path) -> None:
    trained, events = run(name), log()
    settings = {"model": {"name": name, **SMALL[name]}}
    artifact.save(tmp_path / "model", trained.model, events.item_ids, settings)
    loaded = artifact.load(tmp_path / "model")
    moved = artifact.load(tmp_path / "model", device=DEVICE)
    assert all(tensor.device.type == "cpu" for tensor in loaded.model.tensors().values())
    for key, tensor in trained.model.tensors().items():
        assert torch.equal(tensor.cpu(), loaded.model.tensors()[key]), key
    histories = [[1, 2, 3, 4], [5], []]
    for one, two in zip(
        recommend(loaded.model, loaded.items, histories), recommend(moved.model, moved.items, histories), strict=True
    ):
        assert [item.logit for item in one] == pytest.approx([item.logit for item in two], abs=1e-3)
    split = loo(events)
    figures = [measure(rank(one.model, events, split.test, seen="allowed"))["ndcg@10"] for one in (loaded, moved)]
    assert figures[0] == pytest.approx(figures[1], abs=0.02)
