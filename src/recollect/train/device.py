"""Where a training run computes: the setting checked against the devices that are here, and one process only.

A device that is not there, and a start by `torchrun` with several processes, are refused before anything is read.
"""

from __future__ import annotations

import os
import re

import torch

from recollect.config import ConfigError
from recollect.train.settings import TrainSettings

PROCESSES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Environment variables in which torchrun and mpirun say how many processes they start."""


def check_device(settings: TrainSettings) -> None:
    """Raise ConfigError where `train.accelerator` names a device that is not here."""
    asked = settings.accelerator
    if asked in ("auto", "cpu"):
        return
    if asked == "mps":
        here = torch.backends.mps.is_available()
        known = "take auto or cpu"
    else:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        here = int(asked.partition(":")[2] or 0) < count
        known = f"there are {', '.join(f'cuda:{number}' for number in range(count))}" if count else "take auto or cpu"
    if not here:
        raise ConfigError(f"train.accelerator={asked}: no such device is to be had here; {known}")


def refuse_several_processes() -> None:
    """Raise ConfigError in a process that is one of several: each would train the whole model in the same folder."""
    for variable in PROCESSES:
        value = os.environ.get(variable, "1")
        if re.fullmatch(r"\d+", value) and int(value) > 1:
            raise ConfigError(
                f"{variable}={value}: started as {value} processes (by torchrun, say), but training takes one; start "
                "it once, without torchrun, on one GPU (train.accelerator=cuda:1); several runs: recollect compare "
                "--jobs"
            )


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, each as CUDA_VISIBLE_DEVICES would name it alone."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    return named[:count] if named else [str(number) for number in range(count)]


def on_cuda(settings: TrainSettings) -> bool:
    """True if the run computes on a CUDA device."""
    return settings.accelerator.partition(":")[0] in ("auto", "cuda") and torch.cuda.is_available()


def cuda_devices(settings: TrainSettings) -> int | list[int]:
    """Which of the devices Fabric takes: one, or the one that is named."""
    _, _, number = settings.accelerator.partition(":")
    return [int(number)] if number else 1


def device_of(settings: TrainSettings) -> str:
    """The device as torch names it: cpu, mps, cuda or cuda:1."""
    if settings.accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return settings.accelerator
