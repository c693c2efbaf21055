"""The store's process killed at random moments: no acknowledged event is lost and none doubled, however often."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recollect.serve.stores.embedded import INDEX, EmbeddedStore

USERS = 7

WRITER = """
import random, sys
from pathlib import Path
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.contract import IncomingEvent, SavedMemory

folder, first, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
store = EmbeddedStore(folder, segment_bytes=20_000)
print("open", flush=True)
number = max(0, first - 20)  # the last ones again, as a sender does who had no answer
while True:
    batch = range(number, number + chance.randint(1, 9))
    store.append([IncomingEvent(f"user-{n % 7}", f"item-{n}", n + chance.randint(0, 20), f"id-{n}") for n in batch], 0)
    number = batch.stop
    print(number, flush=True)
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


@pytest.mark.long
def test_killed_two_hundred_times_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    folder, chance, acknowledged = tmp_path / "store", random.Random(5), 0
    for turn in range(200):
        arguments = [sys.executable, "-c", WRITER, str(folder), str(acknowledged), str(turn)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            if chance.random() < 0.9:  # else while it opens
                assert writer.stdout.readline() == "open\n"
                for _ in range(chance.randint(0, 30)):
                    acknowledged = max(acknowledged, int(writer.stdout.readline()))
            writer.kill()
            said = writer.stdout.read().split("\n")[:-1]  # a line without its end was not said
            acknowledged = max([acknowledged, *(int(line) for line in said if line != "open")])
        if turn % 20 == 19:
            shutil.rmtree(folder / INDEX, ignore_errors=True)
        with EmbeddedStore(folder) as store:
            _check(store, acknowledged)
    assert acknowledged > 2000
