"""What does reading a log cost, in time and memory, beside another checkout of this project?

Logs of a million and of ten million rows, as CSV with integer ids, as CSV with text ids, quotes and ISO dates, and as
Parquet. Each reading is a process of its own and the checkouts take turns; a ratio is the median of the ratios within a
round. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

KINDS = ("integers.csv", "text.csv", "log.parquet")
FEW = 1000
"""Rows of a log that is read before, untimed."""
HERE = Path(__file__).resolve().parents[1] / "src"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="the src folder of another checkout")
    parser.add_argument("--allowed", type=float, default=1.2, help="how much more than the other it may cost")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(args.measure)
    from training_speed import hardware

    print(f"{date.today()}  {hardware()}")
    print("| log | rows | seconds | peak memory |" + (" x time | x memory |" if args.against else ""))
    print("|---|---:|---:|---:|" + ("---:|---:|" if args.against else ""))
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            write(Path(folder), rows)
            for kind in KINDS:
                ours, theirs = [], []
                for _ in range(args.rounds):
                    ours.append(one(Path(folder) / kind, HERE))
                    if args.against:
                        theirs.append(one(Path(folder) / kind, args.against.resolve()))
                line = f"| {kind} | {rows:,} | {median(o['seconds'] for o in ours):.2f} "
                line += f"| {median(o['bytes'] for o in ours) / 1e6:,.0f} MB |"
                if theirs:
                    assert {o["digest"] for o in ours} == {o["digest"] for o in theirs}, "they read different logs"
                    pairs = list(zip(ours, theirs, strict=True))
                    ratios = [median(a[name] / b[name] for a, b in pairs) for name in ("seconds", "bytes")]
                    worst = max(worst, *ratios)
                    line += f" {ratios[0]:.2f} | {ratios[1]:.2f} |"
                print(line, flush=True)
    if args.against:
        print(f"dearest: x {worst:.2f}, allowed x {args.allowed}")
        sys.exit(worst > args.allowed)


def write(folder: Path, rows: int) -> None:
    """The same events in three files; users come in bursts, as they do in real logs."""
    import numpy as np
    import polars as pl

    if rows > FEW:
        write(folder, FEW)
        for kind in KINDS:
            (folder / kind).rename(folder / f"few-{kind}")
    rng = np.random.default_rng(0)
    user = rng.zipf(1.3, rows) % (rows // 50) + 1
    item = rng.zipf(1.2, rows) % 50_000 + 1
    clock = 1_400_000_000 + np.cumsum(rng.integers(0, 60, rows)) % 300_000_000
    frame = pl.DataFrame({"user_id": user, "item_id": item, "rating": rng.integers(1, 6, rows), "timestamp": clock})
    frame.write_csv(folder / "integers.csv")
    frame.write_parquet(folder / "log.parquet")
    pl.DataFrame(
        {
            "user_id": "u-" + frame["user_id"].cast(pl.String),
            "item_id": "SKU/" + frame["item_id"].cast(pl.String),
            "title": "A title, with a comma no. " + frame["item_id"].cast(pl.String),
            "timestamp": (frame["timestamp"] * 1_000_000).cast(pl.Datetime("us")).dt.to_string("%F %T"),
        }
    ).write_csv(folder / "text.csv")


def one(path: Path, source: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(path: str) -> None:
    import recollect

    recollect.read(Path(path).with_name(f"few-{Path(path).name}"))  # what is imported then is not what is timed
    begun = time.perf_counter()
    log = recollect.read(path)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "bytes": peak, "digest": log.digest}))


if __name__ == "__main__":
    main()
