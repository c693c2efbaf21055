"""How many events a second does training read, beside RecTools' SASRec at the same size?

Real target events are counted and never padding. Every contestant is a process of its own that waits while another
works; rounds alternate between them, so that a slow minute of the machine meets all, and the ratios are those of one
run. The first epoch of each warms up and is not counted. See benchmarks/README.md for the commands and the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

PEER = Path(__file__).parent / "peers" / "rectools_sasrec.py"
CONTESTANTS = [(name, precision) for precision in ("bf16", "32") for name in ("sasrec", "mlstm4rec", "xlstm-lsr")]
MODELS: dict[str, dict[str, Any]] = {
    "sasrec": {"width": 64, "blocks": 2, "heads": 2},
    "mlstm4rec": {"width": 64, "blocks": 2},
    "xlstm-lsr": {"width": 64, "blocks": 2},
}
"""Everything that is not named is the model's default."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m", help="a source that `recollect data inspect` reads")
    parser.add_argument("--length", type=int, default=200, help="events a model reads of each user: the last ones")
    parser.add_argument(
        "--peer", type=Path, help="the python of an environment with rectools[torch]; left out if unset"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--users", type=int, help="only the first so many users: a smoke test, not a result")
    parser.add_argument("--only", nargs="*", help="contestants such as sasrec:bf16; unset: all")
    parser.add_argument("--contestant", nargs=2, metavar=("EVENTS", "NAME:PRECISION"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contestant:
        return contestant(Path(args.contestant[0]), args.contestant[1], args.length, args.threads)
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.npz"
        facts = write_events(events, args.data, args.length, args.users)
        race(events, args, facts)


def write_events(path: Path, source: str, length: int, users: int | None) -> str:
    """The training part of a leave-two-out split, cut to what is read: `length` inputs and the target after them."""
    import numpy as np

    from recollect.data.sources import read
    from recollect.data.splits import loo

    log = read(source)
    split = loo(log)
    train = split.train
    kept = range(len(train) if users is None else min(users, len(train)))
    rows = [train.items[max(train.offsets[u], train.offsets[u + 1] - length - 1) : train.offsets[u + 1]] for u in kept]
    lengths = np.array([len(row) for row in rows])
    items = np.concatenate(rows)
    np.savez(
        path,
        users=np.repeat(np.arange(len(rows)), lengths),
        items=items,
        order=np.arange(len(items)),
        size=split.log.item_ids.size,
    )
    return f"{log.name} (digest {log.digest}), last {length} events of the training part, {len(rows)} users"


def contestant(path: Path, name: str, length: int, threads: int) -> None:
    """Train one epoch for every line that comes in; answer with one JSON line, as the peer does."""
    import numpy as np
    import torch

    from recollect.config import decode
    from recollect.contracts import Catalog
    from recollect.data.histories import Ragged
    from recollect.registry import model_class
    from recollect.train.memory import peak_bytes

    torch.set_num_threads(threads)
    with np.load(path) as columns:
        users, items, size = columns["users"], columns["items"].astype(np.int64), int(columns["size"])
    offsets = np.searchsorted(users, np.arange(int(users.max()) + 2))
    histories = Ragged(items, np.zeros_like(items), offsets)
    kind, precision = name.split(":")
    values = MODELS[kind] | ({"window": length} if kind == "sasrec" else {})
    built = model_class(kind)
    torch.manual_seed(0)
    model = built(decode(built.Config, values, where="model"), Catalog(size))  # type: ignore[call-arg]
    print(json.dumps({"torch": torch.__version__}), flush=True)

    for row in epochs(model, histories, {"precision": precision, "batches": {"history": length + 1}}):
        print(json.dumps(row | {"peak_bytes": peak_bytes()}), flush=True)


def epochs(model: Any, histories: Any, settings: dict[str, Any], *, clock: bool = True) -> Iterator[dict[str, Any]]:
    """One epoch on a CPU, without validation, for every line that comes in: its seconds, targets and loss."""
    from recollect.config import decode
    from recollect.train.loop import train
    from recollect.train.progress import Silent
    from recollect.train.settings import TrainSettings

    def judge(model: object) -> dict[str, float]:
        return {"hr@10": 0.0, "ndcg@10": 0.0}

    for seed, line in enumerate(sys.stdin):
        if line.strip() != "epoch":
            break
        chosen = decode(TrainSettings, {"epochs": 1, "accelerator": "cpu", "seed": seed, **settings}, where="train")
        row = train(model, histories, chosen, judge, Silent(), clock=clock).history[0]
        yield {"seconds": row["train_seconds"], "targets": row["targets"], "loss": row["loss"]}


def race(events: Path, args: argparse.Namespace, facts: str) -> None:
    commands: dict[str, list[str]] = {}
    me = [sys.executable, __file__, "--length", str(args.length), "--threads", str(args.threads)]
    for name, precision in CONTESTANTS:
        commands[f"{name}:{precision}"] = [*me, "--contestant", str(events), f"{name}:{precision}"]
    if args.only:
        commands = {name: command for name, command in commands.items() if name in args.only}
    if args.peer:
        shared = ["--length", str(args.length), "--threads", str(args.threads)]
        commands = {"rectools:32": [str(args.peer), str(PEER), str(events), *shared]} | commands
    # One setting for all: torch's threads are set inside, those of its libraries here.
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    bare = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    running = {
        name: subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=bare if name.startswith("rectools") else environment,
        )
        for name, command in commands.items()
    }
    print(f"{date.today()}  {hardware()}  {args.threads} threads\n{facts}")
    for name, process in running.items():
        print(f"{name}: {answer(process, name)}")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in running}
    for round_, name, row in turns(running, args.rounds):
        note = " (warm-up)" if round_ == 0 else ""
        shown = f"{row['seconds']:.1f} s, {row['targets']:,} targets, loss {row['loss']:.3f}"
        print(f"  round {round_}{note}  {name}: {shown}")
        if round_:
            rows[name].append(row)
    table(rows)


def turns(running: dict[str, subprocess.Popen[str]], rounds: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Ask one after the other for an epoch, round after round, and end them: the round (0 warms up), who, and what it
    took."""
    for round_ in range(rounds + 1):
        for name, process in running.items():
            assert process.stdin
            print("epoch", file=process.stdin, flush=True)
            yield round_, name, answer(process, name)
    for process in running.values():
        process.communicate("end\n")


def answer(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{name} ended with code {process.wait()}; its message stands above")
    return json.loads(line)


def table(rows: dict[str, list[dict[str, float]]]) -> None:
    """Medians over rounds; a ratio is the median of the ratios of each round."""
    print("\n| model | precision | events/s | s an epoch | peak memory | x RecTools |\n|---|---|---:|---:|---:|---:|")
    rate = {name: [row["targets"] / row["seconds"] for row in found] for name, found in rows.items()}
    for name, found in rows.items():
        model, precision = name.split(":")
        ratio = ""
        if "rectools:32" in rate:
            pairs = zip(rate[name], rate["rectools:32"], strict=True)
            ratio = f"{median(ours / theirs for ours, theirs in pairs):.2f}"
        seconds, peak = median(row["seconds"] for row in found), max(row["peak_bytes"] for row in found)
        print(f"| {model} | {precision} | {median(rate[name]):,.0f} | {seconds:.1f} | {peak / 1e6:,.0f} MB | {ratio} |")
    for precision in ("bf16", "32"):
        pair = [rows.get(f"{model}:{precision}") for model in ("xlstm-lsr", "mlstm4rec")]
        if pair[0] and pair[1]:
            cost = median(a["seconds"] / b["seconds"] for a, b in zip(pair[0], pair[1], strict=True))
            print(f"\nxlstm-lsr costs {cost:.2f} x mlstm4rec an epoch ({precision})")


def hardware() -> str:
    """The processor's name and how many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {cores} cores"


if __name__ == "__main__":
    main()
