"""Does an answer cost the same after 10, 1,000 and 100,000 events, and how much less than reading the history again?

The engine takes in one event of a user and answers with a list, from a store in a folder; users take turns, and the
medians are compared. In the same process sasrec encodes the last 1,000 events, for 32 users at once and for one, beside
xlstm-lsr advancing by one event and scoring. Weights are random, which costs the same. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch

from recollect.artifact import Artifact
from recollect.contracts import Catalog, Events, Recommender
from recollect.data.log import Vocabulary
from recollect.models.sasrec import SASRec
from recollect.models.xlstm_lsr import XLSTMLSR
from recollect.serve.engine import Engine
from recollect.serve.requests import UserRequest
from recollect.serve.stores.contract import IncomingEvent
from recollect.serve.stores.embedded import EmbeddedStore

ITEMS = 3706
LENGTHS = (10, 1_000, 100_000)
WINDOW, BATCH = 1_000, 32
ALLOWED, WANTED, BYTES = 1.1, 20, 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    from training_speed import hardware

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    print(f"{date.today()}  {hardware()}  {args.threads} thread(s), {args.rounds} rounds, {ITEMS:,} items")
    ratio, sizes = with_length(args.rounds)
    twenty = against_sasrec(max(3, args.rounds // 40))
    fine = ratio <= ALLOWED and len(set(sizes)) == 1 and sizes[0] <= BYTES and twenty >= WANTED
    sys.exit(0 if fine else "not within what is wanted")


def with_length(rounds: int) -> tuple[float, list[int]]:
    """Time of an answer after one more event, and bytes of memory, for each length -> largest ratio, the bytes."""
    draw = np.random.default_rng(0)
    catalog = Catalog(ITEMS + 1, np.ones(ITEMS + 1, dtype=np.int64))
    ids = Vocabulary(np.arange(1, ITEMS + 1), first=1)
    model = XLSTMLSR(XLSTMLSR.Config(), catalog).eval()
    titles = np.array(["", *map(str, ids.ids)], dtype=object)
    artifact = Artifact(Path("none"), "xlstm-lsr", model, ids, titles, {}, {"digest": "none"})
    with tempfile.TemporaryDirectory() as folder, EmbeddedStore(Path(folder)) as store:
        engine = Engine(artifact, store)
        for length in LENGTHS:
            # Half of the catalogue at most, so that something is left to recommend.
            items = draw.integers(1, ITEMS // 2, length).tolist()
            for begin in range(0, length, 10_000):
                part = items[begin : begin + 10_000]
                store.append([IncomingEvent(str(length), str(item), begin + n) for n, item in enumerate(part)], 0)
        users = [str(length) for length in LENGTHS]
        engine.advance(users)
        engine.save()
        sizes = [len(saved.data) for saved in store.load_memories(users) if saved is not None]
        taken: dict[str, list[float]] = {user: [] for user in users}
        for turn in range(rounds + 20):
            for user in draw.permutation(users).tolist():
                store.append([IncomingEvent(user, str(draw.integers(1, ITEMS // 2)))], 1 << 31)
                begun = time.perf_counter()
                engine.recommend([UserRequest(user)])
                if turn >= 20:
                    taken[user].append(time.perf_counter() - begun)
    medians = [median(taken[user]) for user in users]
    print("\n| past events | advance and answer | bytes of memory |\n|---:|---:|---:|")
    for length, seconds, size in zip(LENGTHS, medians, sizes, strict=True):
        print(f"| {length:,} | {1e3 * seconds:.2f} ms | {size:,} |")
    ratio = max(medians) / min(medians)
    print(f"\nLargest ratio {ratio:.3f} (allowed {ALLOWED}), {BYTES:,} bytes allowed")
    return ratio, sizes


def against_sasrec(rounds: int) -> float:
    """One event more with xlstm-lsr against the last `WINDOW` again with sasrec -> the ratio for a batch."""
    catalog = Catalog(ITEMS + 1, np.ones(ITEMS + 1, dtype=np.int64))
    carried = XLSTMLSR(XLSTMLSR.Config(), catalog).eval()
    window = SASRec(SASRec.Config(window=WINDOW), catalog).eval()
    print(f"\n| users at once | xlstm-lsr, one event | sasrec, {WINDOW:,} events | ratio |\n|---:|---:|---:|---:|")
    found = {}
    for users in (BATCH, 1):
        past = Events.of(torch.randint(1, ITEMS, (users, WINDOW)).tolist())
        one = Events.of(torch.randint(1, ITEMS, (users, 1)).tolist())
        times = alternately([stepping(carried, past, one), stepping(window, past, one)], rounds)
        found[users] = times[1] / times[0]
        print(f"| {users} | {1e3 * times[0]:.1f} ms | {1e3 * times[1]:.1f} ms | {found[users]:.1f} |")
    print(f"\nWanted for {BATCH}: {WANTED}")
    return found[BATCH]


def stepping(model: Recommender, past: Events, one: Events) -> Callable[[], None]:
    """Advance by one event and score, from a memory of `past`."""
    with torch.inference_mode():
        state = model.advance(model.fresh(past.users), past)

    def step() -> None:
        with torch.inference_mode():
            model.score(model.advance(state, one))

    return step


def alternately(steps: list[Callable[[], None]], rounds: int) -> list[float]:
    """Median seconds of each step, taking turns."""
    taken: list[list[float]] = [[] for _ in steps]
    for turn in range(rounds + 2):
        for own, step in zip(taken, steps, strict=True):
            begun = time.perf_counter()
            step()
            if turn >= 2:
                own.append(time.perf_counter() - begun)
    return [median(own) for own in taken]


if __name__ == "__main__":
    main()
