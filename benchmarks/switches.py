"""What does each switch of a network cost: seconds an epoch, parameters, bytes of memory a user?

Every contestant is a process of its own that waits while another works; rounds take turns, and a ratio is the median of
the ratios within a round. The first round warms up. See benchmarks/README.md for the commands and the results.
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
from typing import Any

from training_speed import epochs, hardware, turns

HERE = Path(__file__).resolve().parents[1] / "src"
EVERYTHING: dict[str, Any] = {"repeat": 200, "time": {"gaps": True, "stream": True, "request": True}}
SWITCHES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "train.loss.seen=hidden": {"seen": "hidden"},
    "model.repeat=200": {"model": {"repeat": 200}},
    "model.time.gaps": {"model": {"time": {"gaps": True}}},
    "model.time.stream": {"model": {"time": {"stream": True}}},
    "model.time.request": {"model": {"time": {"request": True}}},
    "all of these": {"seen": "hidden", "model": EVERYTHING},
}
"""By the settings that turn them on; `seen` is that of the loss, which the defaults here leave at allowed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="xlstm-lsr")
    parser.add_argument("--data", default="ml-1m", help="a source that `recollect data inspect` reads")
    parser.add_argument("--users", type=int, help="only so many users, evenly along the log; unset: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", metavar="SWITCH", help="of the switches; unset: all")
    parser.add_argument("--beside", nargs="*", default=[], metavar="MODEL", help="other models, with their defaults")
    parser.add_argument("--before", type=Path, help="the src folder of another checkout, for its defaults")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contestant:
        return contestant(args, json.loads(args.contestant))
    chosen = {name: SWITCHES[name] for name in SWITCHES if args.only is None or name in (*args.only, "defaults")}
    entries = {name: (HERE, {"name": args.model, **values}) for name, values in chosen.items()}
    entries |= {name: (HERE, {"name": name}) for name in args.beside}
    if args.before:
        entries["defaults, other checkout"] = (args.before.resolve(), {"name": args.model})
    race(args, entries)


def contestant(args: argparse.Namespace, wanted: dict[str, Any]) -> None:
    """Train one epoch for every line that comes in; answer with one JSON line."""
    import numpy as np
    import torch

    from recollect.config import decode
    from recollect.contracts import Catalog
    from recollect.data.histories import Ragged
    from recollect.data.sources import read
    from recollect.data.splits import loo
    from recollect.registry import model_class

    torch.set_num_threads(args.threads)
    split = loo(read(args.data))
    whole = split.train
    rows = np.unique(np.linspace(0, len(whole) - 1, min(args.users or len(whole), len(whole))).astype(np.int64))
    # By hand and not by Ragged.rows, which an older checkout need not have.
    pieces = [slice(whole.offsets[row], whole.offsets[row + 1]) for row in rows]
    offsets = np.cumsum([0, *(piece.stop - piece.start for piece in pieces)])
    histories = Ragged(
        *(np.concatenate([part[piece] for piece in pieces]) for part in (whole.items, whole.times)), offsets
    )
    built = model_class(wanted["name"])
    torch.manual_seed(0)
    size = split.log.item_ids.size
    model = built(decode(built.Config, wanted.get("model", {}), where="model"), Catalog(size))  # type: ignore[call-arg]
    facts = {
        "parameters": sum(one.numel() for one in model.parameters()),  # type: ignore[attr-defined]
        "bytes": sum(part.numel() * part.element_size() for part in model.fresh(1).values()),
    }
    settings: dict[str, Any] = {"precision": "32"}
    if "seen" in wanted:
        settings["loss"] = {"seen": wanted["seen"]}
    for row in epochs(model, histories, settings, clock=split.log.clock):
        print(json.dumps(row | facts), flush=True)


def race(args: argparse.Namespace, entries: dict[str, tuple[Path, dict[str, Any]]]) -> None:
    me = [sys.executable, __file__, "--data", args.data, "--threads", str(args.threads)]
    me += ["--users", str(args.users)] if args.users else []
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    running = {
        name: subprocess.Popen(
            [*me, "--contestant", json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONPATH": str(source)},
        )
        for name, (source, wanted) in entries.items()
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in running}
    for round_, name, row in turns(running, args.rounds):
        if round_:
            rows[name].append(row)
    print(f"{date.today()}  {hardware()}  {args.threads} thread(s), fp32\n{args.model} on {args.data}", end="")
    print(f", {args.users} users\n" if args.users else "\n")
    print("| | events/s | s an epoch | x defaults | parameters | bytes a user |\n|---|---:|---:|---:|---:|---:|")
    for name, found in rows.items():
        rate = median(row["targets"] / row["seconds"] for row in found)
        ratio = median(row["seconds"] / own["seconds"] for row, own in zip(found, rows["defaults"], strict=True))
        seconds, parameters, memory = median(row["seconds"] for row in found), found[0]["parameters"], found[0]["bytes"]
        print(f"| {name} | {rate:,.0f} | {seconds:.1f} | {ratio:.2f} | {parameters:,.0f} | {memory:,.0f} |")


if __name__ == "__main__":
    main()
