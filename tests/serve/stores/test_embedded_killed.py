"""The store's process killed at random moments: no acknowledged event is lost and none doubled, however often."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recollect.serve.stores.embedded import INDEX, EmbeddedStore

from ..forked import forked_script

USERS = 7

WRITER = """
import os, random
from pathlib import Path
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.contract import IncomingEvent, SavedMemory

folder, first, seed, log = Path(FOLDER), FIRST, SEED, os.open(LOG, os.O_WRONLY | os.O_APPEND)
chance = random.Random(seed)
store = EmbeddedStore(folder, segment_bytes=20_000)
os.write(log, b"open\\n")
number = max(0, first - 20)  # the last ones again, as a sender does who had no answer
while True:
    batch = range(number, number + chance.randint(1, 9))
    store.append([IncomingEvent(f"user-{n % 7}", f"item-{n}", n + chance.randint(0, 20), f"id-{n}") for n in batch], 0)
    number = batch.stop
    os.write(log, b"%d\\n" % number)  # what is acknowledged here has to be there after the kill
    if chance.random() < 0.2:
        user = f"user-{chance.randrange(7)}"
        summary = store.summary(user)
        if summary is not None:
            held = f"{summary.position.events}".encode() * 5000
            store.save_memories([(user, SavedMemory("abc", summary.position, 0.0, held))])
    if chance.random() < 0.1:
        store.append([IncomingEvent("leaver", f"item-{number}", number, f"id-{number}")], 0)
        store.forget("leaver")
        store.compact()
"""


def _check(store: EmbeddedStore, acknowledged: int) -> None:
    """All that was acknowledged is there once, in order of time; what is there beyond was on its way."""
    found: list[int] = []
    for user in range(USERS):
        history = store.history(f"user-{user}").events
        assert [time for _, time in history] == sorted(time for _, time in history)
        numbers = [int(item.removeprefix("item-")) for item, _ in history]
        assert all(number % USERS == user for number in numbers)
        found += numbers
        (memory,) = store.load_memories([f"user-{user}"])
        if memory is not None:
            assert memory.data == f"{memory.position.events}".encode() * 5000
            since = store.history(f"user-{user}", memory.position)
            assert since.events == history[0 if since.complete else memory.position.events :]
    assert sorted(found) == list(range(len(found))) and acknowledged <= len(found) <= acknowledged + 9


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in the memory of the machine, where there is one: a kill leaves what the kernel has, synced or not."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.long
def test_killed_two_hundred_times_nothing_is_lost_and_nothing_doubled(in_memory: Path) -> None:
    folder, chance, acknowledged = in_memory / "store", random.Random(5), 0
    script, log = in_memory / "writer.py", in_memory / "log"
    script.write_text(WRITER)
    for turn in range(200):
        log.write_bytes(b"")
        writer = forked_script(script, FOLDER=str(folder), FIRST=acknowledged, SEED=turn, LOG=str(log))
        # In one of ten while it opens, else after some lines that it has written.
        wanted = chance.randint(1, 31) if chance.random() < 0.9 else 0
        deadline = time.monotonic() + 60
        while log.read_bytes().count(b"\n") < wanted:
            assert writer.is_alive() and time.monotonic() < deadline
            time.sleep(0.001)
        if not wanted:
            time.sleep(chance.uniform(0, 0.01))
        writer.kill()
        writer.join()
        lines = log.read_bytes().splitlines()
        acknowledged = max([acknowledged, *(int(line) for line in lines if line != b"open")])
        if turn % 20 == 19:
            shutil.rmtree(folder / INDEX, ignore_errors=True)
        with EmbeddedStore(folder) as store:
            _check(store, acknowledged)
    assert acknowledged > 2000
