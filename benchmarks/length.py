"""Does training time grow as the length of a history, and does memory stop growing where histories are cut?

One forward and backward pass of mlstm4rec over one history, unsegmented, at 4,096 and at 16,384 events: time and memory
may grow by a factor of 4.4 at most. With segments of 512 events and the state carried, memory by 1.1 at most. Each
measurement is a process of its own. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from statistics import median

SHORT, LONG = 4096, 16_384
ITEMS = 3707


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    parser.add_argument("--lengths", type=int, nargs=2, default=[SHORT, LONG], help="others are a smoke test")
    parser.add_argument("--measure", nargs=2, type=int, metavar=("EVENTS", "SEGMENT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(*args.measure, args.threads, args.precision)
    from training_speed import hardware

    print(f"{date.today()}  {hardware()}  {args.threads} threads, precision {args.precision}")
    short, long = args.lengths
    found: dict[tuple[int, int], list[dict[str, float]]] = {}
    for round_ in range(args.rounds):
        for length in (short, long):
            for segment in (length, 512):
                row = one(length, segment, args.threads, args.precision)
                found.setdefault((length, segment == 512), []).append(row)
                kind = "segments of 512" if segment == 512 else "one piece"
                megabytes = row["bytes"] / 1e6
                print(f"  round {round_ + 1}  {length:6,} events, {kind}: {row['seconds']:.2f} s, {megabytes:,.0f} MB")

    def figure(length: int, cut: bool, name: str) -> float:
        return median(row[name] for row in found[length, cut])

    print(f"\n| {long:,} against {short:,} events | time | memory | allowed |\n|---|---:|---:|---:|")
    for cut, label, allowed in ((False, "one piece", "4.4, 4.4"), (True, "segments of 512", "memory 1.1")):
        time_, memory = (figure(long, cut, name) / figure(short, cut, name) for name in ("seconds", "bytes"))
        print(f"| {label} | x {time_:.2f} | x {memory:.2f} | {allowed} |")
    grown = figure(long, False, "seconds") / figure(short, False, "seconds")
    memory = figure(long, False, "bytes") / figure(short, False, "bytes")
    carried = figure(long, True, "bytes") / figure(short, True, "bytes")
    sys.exit(0 if grown <= 4.4 and memory <= 4.4 and carried <= 1.1 else "not within what is allowed")


def one(length: int, segment: int, threads: int, precision: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--threads", str(threads), "--precision", precision]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [*command, "--measure", str(length), str(segment)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout)


def measure(length: int, segment: int, threads: int, precision: str) -> None:
    """Seconds of the fastest of five passes over one history, after a short one has warmed up.

    `bytes` is the most memory of the process less what it held with all libraries loaded and no model yet.
    """
    import numpy as np
    import torch

    from recollect.contracts import Catalog
    from recollect.data.histories import Ragged
    from recollect.models.mlstm4rec import MLSTM4Rec
    from recollect.train.loop import train
    from recollect.train.memory import peak_bytes
    from recollect.train.progress import Silent
    from recollect.train.settings import TrainSettings

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = resident_bytes()
    model = MLSTM4Rec(MLSTM4Rec.Config(width=64, blocks=2), Catalog(ITEMS))

    def run(events: int) -> float:
        codes = np.random.default_rng(0).integers(1, ITEMS, events)
        settings = TrainSettings.model_validate(
            {
                "epochs": 1,
                "precision": precision,
                "accelerator": "cpu",
                "batches": {"segment": segment, "tokens": segment},
            }
        )
        history = Ragged(codes, np.arange(events), np.array([0, events]))
        progress = train(model, history, settings, lambda _: {"hr@10": 0.0, "ndcg@10": 0.0}, Silent())
        assert progress.history[0]["targets"] == events and progress.steps_done == -(-events // segment), "not one pass"
        return float(progress.history[0]["train_seconds"])

    run(2 * min(segment, 512))
    seconds = min(run(length) for _ in range(5))
    print(json.dumps({"seconds": seconds, "bytes": peak_bytes() - before}))


def resident_bytes() -> int:
    """What this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("benchmarks/length.py reads /proc/self/status, which only Linux has")


if __name__ == "__main__":
    main()
