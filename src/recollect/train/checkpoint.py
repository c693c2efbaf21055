"""A checkpoint: everything an interrupted run needs to end with the same weights, in one safetensors file.

Weights, optimiser moments, the best weights so far, carried states, the place in the epoch and the random states.
Loading it runs no code, and a checksum finds what a disk has damaged; writing it replaces the old one in one rename, so
a kill leaves the old or the new, whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from recollect.config import ConfigError
from recollect.contracts import State
from recollect.train.average import Average

FORMAT = 1


@dataclasses.dataclass
class Progress:
    """Where a run is. `epoch` counts finished ones; `step` is the next step of the one under way."""

    epoch: int = 0
    step: int = 0
    steps_done: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    epoch_loss: float = 0.0
    epoch_targets: int = 0
    epoch_seconds: float = 0.0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def save(
    path: Path,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
    carried: Mapping[int, State],
    identity: Mapping[str, Any],
    average: Average | None = None,
) -> None:
    """Write the run's whole state; `identity` (settings, data digest) is checked when it is taken up again."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"best.{name}": t for name, t in best.items()}
    if average is not None:
        tensors |= {f"average.{name}": t for name, t in average.state().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optim.{number}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    for group, state in carried.items():
        tensors |= {f"carried.{group}.{name}": t for name, t in state.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    about = {"format": FORMAT, "progress": dataclasses.asdict(progress), "identity": dict(identity)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    # save_file refuses tensors that share memory; a copy on the CPU never does
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    run = json.dumps(about)
    save_file(tensors, partial, {"run": run, "check": _checksum(run, tensors)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def load(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    average: Average | None = None,
) -> tuple[Progress, dict[str, Tensor], dict[int, State]]:
    """Put a saved run back into model, optimizer, average and the random states -> progress, best weights, carried
    states."""
    progress, tensors = _read(path, identity)

    def part(prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}

    given, wanted = part("model."), model.state_dict()
    if {n: t.shape for n, t in given.items()} != {n: t.shape for n, t in wanted.items()} or "random.cpu" not in tensors:
        raise _unusable(path, "its weights are those of another model")
    model.load_state_dict(given)
    if average is not None:
        average.restore(part("average."))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optim.").items():
        number, slot = name.split(".", 1)
        slots.setdefault(int(number), {})[slot] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    carried: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("carried.").items():
        group, inner = name.split(".", 1)
        carried.setdefault(int(group), {})[inner] = tensor
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return progress, part("best."), {group: State(parts) for group, parts in carried.items()}


def load_best(path: Path, identity: Mapping[str, Any]) -> tuple[Progress, dict[str, Tensor]]:
    """How far a saved run came, and the weights of its best validated epoch (empty where there is none yet)."""
    progress, tensors = _read(path, identity)
    prefix = "best."
    return progress, {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _read(path: Path, identity: Mapping[str, Any]) -> tuple[Progress, dict[str, Tensor]]:
    """The whole of a checkpoint, checked against its checksum and against the run it is read for."""
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata()
            about = json.loads(said["run"])
            if about["format"] > FORMAT:
                raise ConfigError(
                    f"{path}: written by a newer version of recollect (format {about['format']}); update recollect"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if said["check"] != _checksum(said["run"], tensors):
            raise _unusable(path, "its content has changed since it was written")
        progress, started_as = Progress(**about["progress"]), dict(about["identity"])
    except ConfigError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _unusable(path, repr(error)) from None
    for key, now in identity.items():
        if started_as.get(key) != now:
            raise ConfigError(
                f"{path}: this run was started with another {key}; start again, or give it the same {key}"
            )
    return progress, tensors


def identity_of(path: Path) -> dict[str, Any]:
    """The `identity` a checkpoint was written with, its weights unread; empty where it cannot be told."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads(file.metadata()["run"])["identity"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return {}


def _checksum(run: str, tensors: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256(run.encode())
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path}: not a usable checkpoint ({' '.join(why.split())}); start again without --resume")
