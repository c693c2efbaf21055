"""A device that is not there and a start as several processes are refused in one line, before anything is done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from recollect.config import ConfigError, decode
from recollect.train import device, loop
from recollect.train.device import (
    check_device,
    cuda_devices,
    device_of,
    on_cuda,
    refuse_several_processes,
    visible_gpus,
)
from recollect.train.fit import fit
from recollect.train.progress import Silent
from recollect.train.settings import TrainSettings

from .material import SMALL, log, settings


def on(accelerator: str) -> TrainSettings:
    return settings(accelerator=accelerator)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    here = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2)
    nowhere = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setattr(device, "torch", SimpleNamespace(cuda=here, backends=nowhere))


@pytest.mark.parametrize("word", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "CUDA"])
def test_a_word_for_no_device_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"train\.accelerator: .*expected auto, cpu, mps, cuda, or one GPU as cuda:1"):
        decode(TrainSettings, {"accelerator": word}, where="train")


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_named_by_its_number() -> None:
    for known in ("auto", "cpu", "cuda", "cuda:0", "cuda:1"):
        check_device(on(known))
    with pytest.raises(ConfigError, match=r"accelerator=cuda:2: no such device .*there are cuda:0, cuda:1"):
        check_device(on("cuda:2"))
    with pytest.raises(ConfigError, match="accelerator=mps: no such device"):
        check_device(on("mps"))
    assert on_cuda(on("cuda:1")) and on_cuda(on("auto")) and not on_cuda(on("cpu"))
    assert [cuda_devices(on(one)) for one in ("cuda", "cuda:1", "auto")] == [1, [1], 1]
    assert [device_of(on(one)) for one in ("auto", "cuda:1", "cpu")] == ["cuda", "cuda:1", "cpu"]


def test_fabric_is_given_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Enough(Exception):
        pass

    def fabric(**arguments: Any) -> None:
        given.update(arguments)
        raise Enough

    monkeypatch.setattr("lightning_fabric.Fabric", fabric)
    monkeypatch.setattr(loop, "check_device", lambda settings: None)
    monkeypatch.setattr("recollect.train.fit.check_device", lambda settings: None)
    with pytest.raises(Enough):
        fit("gru4rec", log(), on("cuda:1"), model=SMALL["gru4rec"], report=Silent())
    assert (given["accelerator"], given["devices"]) == ("cuda", [1])


def test_the_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch, two_gpus: None) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 7")
    assert visible_gpus() == ["3", "7"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_there_is_none_to_name() -> None:
    assert visible_gpus() == []
    with pytest.raises(ConfigError, match="accelerator=cuda:0: no such device is to be had here; take auto or cpu"):
        fit("gru4rec", log(), on("cuda:0"), report=Silent())


@pytest.mark.parametrize("variable", device.PROCESSES)
def test_several_processes_are_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in device.PROCESSES:
        monkeypatch.delenv(name, raising=False)
    for alone in ("1", "", "none"):
        monkeypatch.setenv(variable, alone)
        refuse_several_processes()
    monkeypatch.setenv(variable, "4")
    with pytest.raises(ConfigError, match=f"{variable}=4: started as 4 processes"):
        fit("popularity", log(), report=Silent())
