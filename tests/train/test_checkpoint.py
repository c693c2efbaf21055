"""Checkpoints of another run, a newer version or half a file are refused in one line, and nothing is changed by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from recollect.config import ConfigError
from recollect.contracts import State
from recollect.data.splits import loo, temporal
from recollect.train import checkpoint
from recollect.train.checkpoint import Progress
from recollect.train.fit import CHECKPOINT, fit

from .material import SMALL, log, run, settings


def parts(seed: int = 0) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model and an optimiser that has taken steps."""
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def written(path: Path) -> None:
    model, optimizer = parts()
    best = {name: t + 1 for name, t in model.state_dict().items()}
    carried = {3: State({"a.b": torch.arange(4.0), "held": torch.tensor([1, 2])}), 11: State({"a.b": torch.ones(2)})}
    place = Progress(epoch=2, step=5, steps_done=25, best=0.25, best_epoch=1, history=[{"epoch": 1, "loss": 0.5}])
    checkpoint.save(path, place, model, optimizer, best, carried, {"data": "abc", "model": {"width": 8}})


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "checkpoint.safetensors"
    model, optimizer = parts()
    random_state = torch.get_rng_state()
    written(path)  # its own parts are of the same seed
    wanted_next = torch.randn(5)
    other, untrained = parts(seed=1)
    place, best, carried = checkpoint.load(path, other, untrained, {"data": "abc", "model": {"width": 8}})
    assert torch.equal(torch.get_rng_state(), random_state) and torch.equal(torch.randn(5), wanted_next)
    assert place == Progress(
        epoch=2, step=5, steps_done=25, best=0.25, best_epoch=1, history=[{"epoch": 1, "loss": 0.5}]
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor) and torch.equal(best[name], tensor + 1)
    for one, two in zip(
        untrained.state_dict()["state"].values(), optimizer.state_dict()["state"].values(), strict=True
    ):
        assert set(one) == set(two) and all(torch.equal(one[slot], two[slot]) for slot in one)
    assert set(carried) == {3, 11} and set(carried[3]) == {"a.b", "held"}
    assert torch.equal(carried[3]["held"], torch.tensor([1, 2])) and carried[3]["held"].dtype == torch.int64
    assert [p.name for p in path.parent.iterdir()] == [path.name], "the partial file is gone"


def refused(path: Path, match: str, identity: dict[str, Any] | None = None) -> None:
    """One line, and the model, the optimiser, the random state and the file are as before."""
    model, optimizer = parts(seed=1)
    before, bytes_before, random_before = model.weight.clone(), path.read_bytes(), torch.get_rng_state()
    with pytest.raises(ConfigError, match=match) as caught:
        checkpoint.load(path, model, optimizer, identity or {})
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert torch.equal(model.weight, before) and torch.equal(torch.get_rng_state(), random_before)
    assert path.read_bytes() == bytes_before


def test_a_run_never_writes_over_the_checkpoint_of_another(tmp_path: Path) -> None:
    run("gru4rec", tmp_path, epochs=1)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ConfigError, match="go on with it"):
        run("gru4rec", tmp_path, epochs=1)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_a_truncated_file(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    written(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept > 1 or kept == 0 else kept * len(data))])
    refused(path, "not a usable checkpoint")


@pytest.mark.parametrize("content", [b"hello", b"\xff" * 5000, b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    refused(path, "not a usable checkpoint")


@pytest.mark.parametrize("about", ["{", "[]", "{}", '{"format": 1}', '{"format": 1, "identity": {}}', '"text"'])
def test_metadata_that_are_none(about: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    written(path)
    tensors = load_file(path)
    save_file(tensors, path, {"run": about, "check": checkpoint._checksum(about, tensors)})
    refused(path, "not a usable checkpoint")


def test_a_flipped_bit_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    written(path)
    data = path.read_bytes()
    for place in range(0, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        refused(path, "not a usable checkpoint|newer version")


def test_a_newer_format(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    written(path)
    about = json.dumps({"format": checkpoint.FORMAT + 1, "something": "else"})
    save_file({"strange": torch.ones(1)}, path, {"run": about})
    refused(path, "newer version of recollect")


@pytest.mark.parametrize("identity", [{"data": "other"}, {"model": {"width": 9}}, {"unheard": 1}])
def test_another_run(identity: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    written(path)
    refused(path, f"another {next(iter(identity))}", identity)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    model = torch.nn.Linear(5, 2)
    checkpoint.save(path, Progress(), model, torch.optim.AdamW(model.parameters()), {}, {}, {})
    refused(path, "not a usable checkpoint")


def test_fit_refuses_other_settings_data_splits_and_filters(tmp_path: Path) -> None:
    run("gru4rec", tmp_path, epochs=1)
    data, chosen, before = log(), settings(epochs=1), (tmp_path / CHECKPOINT).read_bytes()

    def again(what: str, **changes: Any) -> None:
        given: dict[str, Any] = {
            "name": "gru4rec", "data": data, "settings": chosen, "model": SMALL["gru4rec"], "seen": "allowed", **changes
        }  # fmt: skip
        with pytest.raises(ConfigError, match=f"another {what}"):
            fit(**given, folder=tmp_path, resume=True)
        assert (tmp_path / CHECKPOINT).read_bytes() == before

    again("model", name="sasrec", model={})
    again("model", model={**SMALL["gru4rec"], "dropout": 0.5})
    again("training settings", settings=settings(epochs=1, learning_rate=0.1))
    again("data", data=log(seed=1))
    again("split", data=temporal(data))
    again("seen filter", seen="hidden")
    again("history asked", history=5)
    done = fit("gru4rec", loo(data), chosen, model=SMALL["gru4rec"], seen="allowed", folder=tmp_path, resume=True)
    assert len(done.history) == 1
