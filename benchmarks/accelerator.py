"""What does an accelerator give: training, ranking and one-event answers of every network, and a short training check?

Every network with its default settings, on real histories, in the program's own training loop. Where there is no
accelerator it says so and ends well; `--device cpu --quick` tries the script out. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import platform
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from recollect import registry
from recollect.contracts import Events, Network, Request
from recollect.data.histories import Split, Targets
from recollect.data.sources import read
from recollect.data.splits import loo
from recollect.evaluate.ranking import rank
from recollect.train.fit import fit
from recollect.train.loop import train
from recollect.train.progress import Silent
from recollect.train.settings import TrainSettings

CHECKED = ("sasrec", "gru4rec", "mlstm4rec", "xlstm-lsr")
"""Networks of the training check."""
CELLS = (8192, 131_072)
"""Cells of a block in which histories are read for ranking: the default, and what fills a graphics card."""
COLUMNS = {
    "events_s": "training events/s",
    "step_ms": "step ms",
    "peak_mb": "peak MB",
    "users_s": "ranked users/s",
    "users_s_large": f"at {CELLS[1]:,} cells",
    "one_ms": "1 user ms",
    "many_ms": "256 users ms",
    "x_cpu_train": "training x CPU",
    "x_cpu_many": "256 users x CPU",
}


class Enough(Exception):
    """The time for one measurement is over."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m", help="a source that `recollect data inspect` reads")
    parser.add_argument("--out", type=Path, help="folder for accelerator.json and accelerator.md; unset: only printed")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script out")
    parser.add_argument("--part", choices=["timings", "training"], nargs="*", default=["timings", "training"])
    parser.add_argument("--models", nargs="*", help="networks; unset: all of them, or those of the training check")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each of the measurements of a network")
    parser.add_argument("--steps", type=int, default=150, help="training steps measured at most")
    parser.add_argument("--precision", default="auto", choices=["auto", "32", "bf16"])
    parser.add_argument("--no-cpu", action="store_true", help="leave the CPU beside it out")
    parser.add_argument("--minutes", type=float, default=8.0, help="start no further network after so many")
    parser.add_argument("--epochs", type=int, default=8, help="of the training check")
    parser.add_argument("--epoch-minutes", type=float, default=1.8, help="for each network of the training check")
    parser.add_argument("--quick", action="store_true", help="400 users and hardly any time: a smoke test, no result")
    args = parser.parse_args()
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device here (torch sees none): nothing to measure")
        return
    log = read(args.data)
    split = loo(log)
    if args.quick:
        args.seconds, args.steps, args.epochs, args.epoch_minutes = 0.5, 6, 1, 0.05
        split = few_users(split, 400)
    found: dict[str, Any] = {"about": about(args, split), "timings": [], "training": []}
    begun = time.monotonic()
    networks = [name for name in registry.names() if issubclass(registry.model_class(name), Network)]
    if "timings" in args.part:
        for name in args.models or networks:
            if time.monotonic() - begun > 60 * args.minutes:
                row: dict[str, Any] = {"model": name, "failed": "not reached: the time was over"}
            else:
                row = timed(name, split, args)
            found["timings"].append(row)
            report(found, args.out, row)
    if "training" in args.part:
        for name in args.models or CHECKED:
            row = checked(name, split, args)
            found["training"].append(row)
            report(found, args.out, row)
    print("\n" + markdown(found))


def few_users(split: Split, users: int) -> Split:
    """The same log, with training events and targets of the first users only."""
    starts, asked = split.log.offsets[:-1], split.validation
    keep = asked.users < users
    return dataclasses.replace(
        split,
        train_ends=np.where(np.arange(len(starts)) < users, split.train_ends, starts),
        validation=Targets(asked.users[keep], asked.positions[keep]),
    )


def about(args: argparse.Namespace, split: Split) -> dict[str, Any]:
    """Everything the figures depend on beside the code."""
    cuda = args.device.startswith("cuda")
    train_part = split.train
    facts: dict[str, Any] = {
        "date": str(date.today()),
        "data": f"{split.log.name} (digest {split.log.digest}), "
        f"{int((train_part.lengths > 0).sum()):,} users, {len(train_part.items):,} training events",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "driver": driver() if cuda else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "python": platform.python_version(),
        "cpu": processor(),
        "threads": torch.get_num_threads(),
        "precision": args.precision,
        "seconds": args.seconds,
        "quick": args.quick,
    }
    if cuda:
        facts |= ceilings()
        torch.cuda.empty_cache()
    print("  ".join(f"{key}: {value}" for key, value in facts.items()), flush=True)
    return facts


def driver() -> str:
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({type(error).__name__})"


def processor() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.machine()}, {cores} cores"


def ceilings() -> dict[str, float]:
    """What the card reaches at best: a large copy, bytes read plus written, and a large bf16 product."""
    source = torch.randn(1 << 28, device="cuda")
    target = torch.empty_like(source)
    copy = by_events(lambda: target.copy_(source), 20)
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product = by_events(lambda: left @ right, 20)
    return {"copy_tb_s": round(2 * source.nbytes / copy / 1e9, 2), "bf16_tflop_s": round(2 * 8192**3 / product / 1e9)}


def by_events(work: Callable[[], object], times: int) -> float:
    """Median milliseconds of one run on the device."""
    for _ in range(3):
        work()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    torch.cuda.synchronize()
    return median(one.elapsed_time(two) for one, two in pairwise(marks))


def timed(name: str, split: Split, args: argparse.Namespace) -> dict[str, Any]:
    """One row; a measurement that fails says how, and the others go on."""
    row: dict[str, Any] = {"model": name}
    begun = time.monotonic()
    cuda = args.device.startswith("cuda")
    cpu = cuda and not args.no_cpu
    try:
        model = fresh(name, split)
        row["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    except Exception as error:
        return row | {"failed": f"built: {said(error)}"}
    with noted(row, "training"):
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        row |= training(model, split, args.device, args)
        if cuda:
            row["peak_mb"] = round(torch.cuda.max_memory_allocated() / 1e6)
    model.to(args.device).eval()
    with noted(row, "ranking"):
        row["users_s"], row["ranked"] = ranking(model, split, CELLS[0], args.seconds)
        row["users_s_large"], _ = ranking(model, split, CELLS[1], args.seconds)
    with noted(row, "answers"):
        row["one_ms"], row["many_ms"] = (answers(model, split, users, args.seconds / 3) for users in (1, 256))
    if cpu:
        with noted(row, "cpu"):
            beside = fresh(name, split)
            row["cpu_events_s"] = training(beside, split, "cpu", args)["events_s"]
            row["cpu_many_ms"] = answers(beside.to("cpu").eval(), split, 256, args.seconds / 3)
            row["x_cpu_train"] = row["events_s"] / row["cpu_events_s"]
            row["x_cpu_many"] = row["cpu_many_ms"] / row["many_ms"]
    if cuda:
        del model
        torch.cuda.empty_cache()
    return row | {"seconds": round(time.monotonic() - begun, 1)}


@contextlib.contextmanager
def noted(row: dict[str, Any], what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        row["failed"] = "; ".join(filter(None, [row.get("failed", ""), f"{what}: {said(error)}"]))


def said(error: Exception) -> str:
    """The error in a line, and where it came from."""
    where = [frame for frame in traceback.extract_tb(error.__traceback__) if "recollect" in frame.filename]
    place = f" ({Path(where[-1].filename).name}:{where[-1].lineno})" if where else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}{place}"


def fresh(name: str, split: Split) -> Network:
    kind = registry.model_class(name)
    torch.manual_seed(0)
    model = kind(kind.Config(), split.catalog)  # type: ignore[call-arg]
    assert isinstance(model, Network)
    return model


class Stopwatch(Silent):
    """Watches the training loop: some steps to warm up, then steps that count, by device events where there are any.

    The loop waits for the device once a step, so that the last mark is no further than one step behind the host.
    """

    def __init__(self, cuda: bool, steps: int, seconds: float) -> None:
        self.cuda, self.steps, self.seconds = cuda, steps, seconds
        self.warm = max(2, min(20, steps // 4))
        self.begun = time.perf_counter()
        self.marks: list[Any] = []
        self.targets: list[int] = []

    def step(self, place: Any, steps: int) -> None:
        spent = time.perf_counter() - self.begun
        if place.steps_done < self.warm and spent < self.seconds / 3:
            return
        if not self.marks:
            self.begun, spent = time.perf_counter(), 0.0
        self.marks.append(self._mark())
        self.targets.append(place.epoch_targets)
        if len(self.marks) > 1 and (len(self.marks) > self.steps or spent > self.seconds):
            raise Enough

    def _mark(self) -> Any:
        if not self.cuda:
            return time.perf_counter()
        mark = torch.cuda.Event(enable_timing=True)
        mark.record()
        return mark

    def result(self) -> dict[str, Any]:
        if self.cuda:
            torch.cuda.synchronize()
        pairs = list(pairwise(self.marks))
        if not pairs:
            raise RuntimeError("an epoch ended before a step was measured")
        each = [one.elapsed_time(two) if self.cuda else 1000 * (two - one) for one, two in pairs]
        events = self.targets[-1] - self.targets[0]
        return {"events_s": events / (sum(each) / 1000), "step_ms": median(each), "steps": len(each)}


def training(model: Network, split: Split, device: str, args: argparse.Namespace) -> dict[str, Any]:
    kind = "cuda" if device.startswith("cuda") else device
    settings = TrainSettings(epochs=1, accelerator=kind, precision=args.precision)  # type: ignore[arg-type]
    watch = Stopwatch(kind == "cuda", args.steps, args.seconds)
    with contextlib.suppress(Enough):
        train(model, split.train, settings, lambda network: {"ndcg@10": 0.0}, watch, clock=split.log.clock)
    return watch.result()


def ranking(model: Network, split: Split, cells: int, seconds: float) -> tuple[float, int]:
    """Users a second, and how many were ranked: drawn at random, as many as there is time for."""
    asked, done = split.validation, 0.0
    order = np.random.default_rng(0).permutation(len(asked))
    count = min(256, len(asked))
    while True:
        chosen = np.sort(order[:count])
        begun = time.perf_counter()
        some = Targets(asked.users[chosen], asked.positions[chosen])
        rank(model, split.log, some, seen="hidden", token_budget=cells)
        done = count / (time.perf_counter() - begun)  # ranks are on the host: everything has been waited for
        more = min(len(asked), math.floor(done * seconds / 2))
        if more < 2 * count:
            return done, count
        count = more


def answers(model: Network, split: Split, users: int, seconds: float) -> float:
    """Median milliseconds to read one more event of each user and score all items, from request to finished scores."""
    place = model.device
    train_part = split.train
    begins = train_part.offsets[np.random.default_rng(1).integers(0, len(train_part) // 16, users)]
    rows = [train_part.items[begin : begin + 100].tolist() for begin in begins]
    clock = [list(range(1_500_000_000, 1_500_000_000 + len(row))) for row in rows]
    each: list[float] = []
    with torch.inference_mode():
        state = model.advance(model.fresh(users), Events.of(rows, clock).to(place))
        request = Request(torch.full((users,), 1_600_000_000, device=place))
        begun = time.perf_counter()
        while len(each) < 10 or (time.perf_counter() - begun < seconds and len(each) < 200):
            start = time.perf_counter()
            items = torch.randint(1, model.catalog.size, (users, 1))
            one = Events(items, torch.ones(users, dtype=torch.int64), torch.full_like(items, 1_600_000_000))
            state = model.advance(state, one.to(place))
            model.score(state, request).amax(dim=1).cpu()
            each.append(1000 * (time.perf_counter() - start))
            if time.perf_counter() - begun > 4 * seconds:
                break
    return median(each[len(each) // 3 :])


class Epochs(Silent):
    """Prints a line an epoch and keeps it."""

    def epoch(self, place: Any, row: Any) -> None:
        figures = f"NDCG@10 {row['ndcg@10']:.4f}" if "ndcg@10" in row else ""
        print(
            f"    epoch {row['epoch']}  loss {row['loss']:.4f}  {row['train_seconds']:.1f} s"
            f"  + {row.get('validate_seconds', 0):.1f} s  {figures}",
            flush=True,
        )


def checked(name: str, split: Split, args: argparse.Namespace) -> dict[str, Any]:
    """A training with its default settings but for its length -> validation figures and seconds an epoch."""
    row: dict[str, Any] = {"model": name}
    print(f"  {name}", flush=True)
    with noted(row, "training"):
        kind = "cuda" if args.device.startswith("cuda") else args.device
        settings = {"epochs": args.epochs, "minutes": args.epoch_minutes}
        settings |= {"accelerator": kind, "precision": args.precision}
        trained = fit(name, split, settings, seen="hidden", report=Epochs())
        last = trained.history
        row |= {
            "epochs": len(last),
            "loss": last[-1]["loss"],
            "ndcg@10": max(one.get("ndcg@10", 0.0) for one in last),
            "hr@10": max(one.get("hr@10", 0.0) for one in last),
            "train_seconds": median(one["train_seconds"] for one in last),
            "validate_seconds": median(one.get("validate_seconds", 0.0) for one in last),
            "events_s": sum(one["targets"] for one in last) / sum(one["train_seconds"] for one in last),
        }
    return row


def report(found: dict[str, Any], out: Path | None, row: dict[str, Any]) -> None:
    """One line now, and everything so far on disk: a run that is cut off leaves what it found."""
    shown = {key: number(value) for key, value in row.items() if key not in ("model", "parameters")}
    print(f"{row['model']}: " + "  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "accelerator.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        (out / "accelerator.md").write_text(markdown(found), encoding="utf-8")


def number(value: Any) -> str:
    if not isinstance(value, float):
        return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.4f}"


def markdown(found: dict[str, Any]) -> str:
    lines = ["; ".join(f"{key} {value}" for key, value in found["about"].items() if value is not None), ""]
    if found["timings"]:
        lines += ["| model | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---:|" * len(COLUMNS)]
        for row in found["timings"]:
            lines.append(f"| {row['model']} | " + " | ".join(number(row.get(key)) for key in COLUMNS) + " |")
        lines += ["", *(f"{row['model']} failed: {row['failed']}" for row in found["timings"] if "failed" in row), ""]
    if found["training"]:
        columns = ("epochs", "loss", "hr@10", "ndcg@10", "train_seconds", "validate_seconds", "events_s")
        lines += ["| model | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
        for row in found["training"]:
            lines.append(f"| {row['model']} | " + " | ".join(number(row.get(key)) for key in columns) + " |")
        lines += ["", *(f"{row['model']} failed: {row['failed']}" for row in found["training"] if "failed" in row)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
