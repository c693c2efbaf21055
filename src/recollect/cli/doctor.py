"""`recollect doctor`: what this machine and this installation can do; what a report of a failure should hold."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from recollect.cli.output import print_json

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "polars",
    "narwhals",
    "pydantic",
    "typer",
    "rich",
    "safetensors",
    "lightning-fabric",
)


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False) -> None:
    """Show versions, devices, threads, bf16 support and the data folder, and train and recommend once on a tiny log."""
    checks = [
        ("recollect", _recollect),
        ("python", lambda: f"{platform.python_version()} on {platform.platform()}"),
        ("packages", _packages),
        ("devices", _devices),
        ("threads", _threads),
        ("bf16", _bf16),
        ("data folder", _data),
        ("self-test", _self_test),
    ]
    failed, report = [], {}
    for name, check in checks:
        report[name], well = _tried(check)
        if not well:
            failed.append(name)
        if not json:
            typer.echo(f"{name:<12} {report[name]}")
    if json:
        print_json({**report, "failed": failed})
    if failed:
        typer.echo(f"error: not in order: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def _tried(check: Callable[[], str]) -> tuple[str, bool]:
    """What a check found, and whether it went through: one that fails must not hide the others."""
    try:
        return check(), True
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {' '.join(str(error).split())}", False


def _recollect() -> str:
    import recollect

    return f"{recollect.__version__}, {Path(recollect.__file__).parent}"


def _packages() -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def _devices() -> str:
    import torch

    found = ["cpu", *(f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(torch.cuda.device_count()))]
    return ", ".join([*found, "mps"] if torch.backends.mps.is_available() else found)


def _threads() -> str:
    import torch

    return f"{torch.get_num_threads()} of {os.cpu_count()} processors (OMP_NUM_THREADS changes it)"


def _bf16() -> str:
    import torch

    from recollect.train.precision import bf16_speed, precision_of
    from recollect.train.settings import TrainSettings

    used = precision_of(TrainSettings()) == "bf16-mixed"
    if torch.cuda.is_available() or not torch.cpu._is_avx512_bf16_supported():
        return "native, and used" if used else "not native here; training is in fp32"
    return f"products x {bf16_speed():.2f} as fast as in fp32; training is in {'bf16' if used else 'fp32'}"


def _data() -> str:
    from recollect.data.sources import DATA_DIR

    named = os.environ.get(DATA_DIR)
    folder = Path(named or "data")
    if not folder.is_dir():
        return f"{folder} does not exist; {DATA_DIR} names another (only needed for logs that are called by name)"
    inside = sorted(one.name for one in folder.iterdir() if one.is_dir())
    return f"{folder}: {', '.join(inside) or 'empty'}"


def _self_test() -> str:
    """Train, keep, load and recommend."""
    from recollect import artifact, simulate
    from recollect.data.simulate.generator import SimulateConfig
    from recollect.recommend import recommend
    from recollect.study.run import run
    from recollect.study.settings import settings_from

    log = simulate(SimulateConfig(users=40, items=30, topics=3, mean_events=12)).log
    settings = settings_from(
        {
            "data": {"source": "simulated"},
            "model": {"name": "xlstm-lsr", "width": 8, "blocks": 1, "recent": 4},
            "train": {"epochs": 1},
            "evaluate": {"seen": "allowed"},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(settings, Path(folder) / "run", log=log)
        trained = artifact.load(outcome.folder)
        (answer,) = recommend(trained.model, trained.items, [log.item_ids.ids[:3].tolist()], k=3, seen="allowed")
    if len(answer) != 3:
        raise RuntimeError(f"3 recommendations were asked for and {len(answer)} came")
    return f"trained, kept, loaded and recommended in {outcome.trained.seconds:.1f} s"
