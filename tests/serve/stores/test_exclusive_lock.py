"""The lock: shared by many, had alone by one, and whoever wants it alone gets it however many come to share it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from recollect.serve.stores.exclusive_lock import ExclusiveLock


def test_several_share_it_at_once() -> None:
    lock, met = ExclusiveLock(), threading.Barrier(3)

    def work() -> None:
        with lock.shared():
            met.wait(20)

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work) for _ in range(3)]:
            done.result()


def test_alone_is_alone_and_comes_to_its_turn() -> None:
    lock, stop = ExclusiveLock(), threading.Event()
    inside: list[str] = []
    seen: list[tuple[str, ...]] = []

    def share() -> None:
        while not stop.is_set():
            with lock.shared():
                inside.append("sharing")
                time.sleep(0.0005)
                inside.pop()

    def take() -> None:
        for _ in range(30):
            with lock.exclusive():
                seen.append(tuple(inside))
                inside.append("alone")
                time.sleep(0.001)
                seen.append(tuple(inside))
                inside.pop()

    with ThreadPoolExecutor(6) as pool:
        sharing = [pool.submit(share) for _ in range(4)]
        for done in [pool.submit(take) for _ in range(2)]:
            done.result(timeout=60)
        stop.set()
        for done in sharing:
            done.result()
    assert set(seen) == {(), ("alone",)} and len(seen) == 120
