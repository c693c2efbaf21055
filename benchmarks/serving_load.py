"""How many durable events a second does the service take, and how long does a list take, over HTTP on one machine?

The server is a process of its own on the loopback address; this one is the client, with eight connections. First the
events of a log as fast as they are taken, in batches of 32, each user's in order. Then lists at a steady rate: at once,
again when the memories have caught up, and while events come too. Each list is timed from the moment when it was due,
so that a slow answer is charged with those that waited behind it. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np

CLIENTS, BATCH = 8, 32
MIXED = 320
"""Events a second that come while lists are asked for."""
EVENTS_WANTED, P99_WANTED = 1500, 0.025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m", help="a source that `recollect data inspect` reads")
    parser.add_argument("--events", type=int, help="how many of the log are sent, the earliest; else all")
    parser.add_argument("--seconds", type=int, default=30, help="how long lists are asked for")
    parser.add_argument("--rate", type=int, default=100, help="lists a second")
    parser.add_argument("--items", type=int, nargs="+", default=[3706, 100_000], help="sizes of the catalogue")
    args = parser.parse_args()
    from training_speed import hardware

    from recollect.data.sources import read

    log = read(args.data)
    order = np.argsort(log.times, kind="stable")[: args.events]
    users, items, times = log.users[order].tolist(), log.items[order].tolist(), log.times[order].tolist()
    events = [
        {"user": str(user), "item": str(item), "time": time_, "id": str(number)}
        for number, (user, item, time_) in enumerate(zip(users, items, times, strict=True))
    ]
    print(f"{date.today()}  {hardware()}, client and server together; {log.name}, {len(events):,} events")
    fine = True
    for size in args.items:
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder), size) as port:
            print(f"\nxlstm-lsr (width 64) over {size:,} items")
            later = min(len(events) // 10, MIXED * args.seconds)  # come while lists are asked for
            rate, answers = send(port, events[:-later])
            print(f"  events: {rate:,.0f} a second; batch of {BATCH}: {spread(answers)}")
            everyone = sorted(set(users))
            print(f"  lists at {args.rate} a second, at once: {spread(ask(port, everyone, args.rate, 3))}")
            print(f"  memories caught up {caught_up(port):.1f} s later")
            asked = ask(port, everyone, args.rate, args.seconds)
            print(f"  lists at {args.rate} a second: {spread(asked)}")
            more = threading.Thread(target=send, args=(port, events[-later:], MIXED))
            more.start()
            mixed = ask(port, everyone, args.rate, later // MIXED)
            more.join()
            print(f"  lists at {args.rate} a second, while {MIXED} events a second come: {spread(mixed)}")
            fine &= rate >= EVENTS_WANTED and float(np.percentile(asked, 99)) <= P99_WANTED
    sys.exit(0 if fine else f"wanted: {EVENTS_WANTED} events a second, p99 of a list {1e3 * P99_WANTED:.0f} ms")


@contextmanager
def serving(folder: Path, size: int) -> Iterator[int]:
    """A server with random weights over `size` items -> its port."""
    import torch

    from recollect.artifact import save
    from recollect.config import plain
    from recollect.contracts import Catalog
    from recollect.data.log import Vocabulary
    from recollect.models.xlstm_lsr import XLSTMLSR

    torch.manual_seed(0)
    config = XLSTMLSR.Config()
    model = XLSTMLSR(config, Catalog(size + 1, np.ones(size + 1, dtype=np.int64)))
    settings = {"model": {"name": "xlstm-lsr", **plain(config)}}
    save(folder / "run", model, Vocabulary(np.arange(1, size + 1), first=1), settings)
    command = [sys.executable, "-m", "recollect", "serve", folder / "run", "--store", folder / "store", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        for line in server.stderr:
            if found := re.search(r"listening on http://\S+:(\d+)", line):
                break
        else:
            raise SystemExit("the server did not start")
        try:
            yield int(found[1])
        finally:
            server.terminate()


def caught_up(port: int) -> float:
    """Wait until no user's memory is behind -> seconds."""
    begun = time.perf_counter()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics")
        if "\nrecollect_behind 0.0\n" in connection.getresponse().read().decode():
            return time.perf_counter() - begun
        connection.close()
        time.sleep(0.05)


def send(port: int, events: list[dict[str, object]], rate: float | None = None) -> tuple[float, list[float]]:
    """All events in batches, each user's by one client and in order -> events a second, seconds of each batch.

    `rate`: events a second at most.
    """
    taken: list[float] = []

    def client(own: list[dict[str, object]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for begin in range(0, len(own), BATCH):
            body = json.dumps({"events": own[begin : begin + BATCH]})
            if rate is not None:
                time.sleep(max(0.0, start + begin * CLIENTS / rate - time.perf_counter()))
            begun = time.perf_counter()
            connection.request("POST", "/events", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
            taken.append(time.perf_counter() - begun)
            assert answer.status == 200 and {one["outcome"] for one in said["events"]} == {"new"}, said

    shares = [[one for one in events if int(str(one["user"])) % CLIENTS == number] for number in range(CLIENTS)]
    threads = [threading.Thread(target=client, args=(share,)) for share in shares]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(events) / (time.perf_counter() - start), taken


def ask(port: int, users: list[int], rate: int, seconds: int) -> list[float]:
    """Lists of random users, one due every 1/rate seconds -> seconds from when each was due to its answer."""
    chosen = np.random.default_rng(0).choice(users, rate * seconds).tolist()
    taken: list[float] = []
    numbers = iter(range(len(chosen)))
    start = time.perf_counter() + 0.5

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in numbers:  # each number goes to one client
            due = start + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("GET", f"/recommendations?user={chosen[number]}&k=10")
            answer = connection.getresponse()
            said = json.loads(answer.read())
            taken.append(time.perf_counter() - due)
            assert answer.status == 200 and len(said["items"]) == 10, said

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(chosen)
    return taken


def spread(seconds: list[float]) -> str:
    p50, p95, p99 = (1e3 * float(value) for value in np.percentile(seconds, (50, 95, 99)))
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"


if __name__ == "__main__":
    main()
