"""The whole server killed at random under load: nothing acknowledged is lost, nothing doubled, and no list is wrong."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recollect.artifact import load
from recollect.recommend import Recommendation, recommend
from recollect.serve.stores.contract import Store
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.redis import RedisStore

from ..serve.forked import forked_server
from ..serve.http.running import Client
from ..serve.stores.redis_server import DURABLE, Server
from ..serve.test_engine import alike

USERS = 8


class Sender(threading.Thread):
    """Sends a user's events in order, and again what was not acknowledged; asks for lists in between."""

    def __init__(self, user: int) -> None:
        super().__init__()
        self.user, self.acknowledged = user, 0
        self.clients: list[Client] = []
        self.ended = threading.Event()

    def run(self) -> None:
        chance = random.Random(self.user)
        while not self.ended.is_set():
            first = max(0, self.acknowledged - 3)
            last = self.acknowledged + chance.randint(1, 8)
            batch = [
                {"user": self.user, "item": f"item {n % 24}", "time": 1_700_000_000 + n, "id": f"id-{n}"}
                for n in range(first, last)
            ]
            with contextlib.suppress(OSError, http.client.HTTPException, IndexError):
                status, answer, _ = chance.choice(self.clients).request("POST", "/events", {"events": batch})
                if status == 200:
                    assert all(row["outcome"] == "repeated" for row in answer["events"][: self.acknowledged - first])
                    self.acknowledged = last
                    if chance.random() < 0.3:
                        path = f"/recommendations?user={self.user}"
                        status, answer, _ = chance.choice(self.clients).request("GET", path)
                        assert status == 503 or answer["events"] >= last, answer
                    continue
                assert status == 503, answer
            time.sleep(0.02)


@contextlib.contextmanager
def sending() -> Iterator[list[Sender]]:
    """Everybody sends while this lasts; they were all answered rightly, and much was acknowledged."""
    senders = [Sender(user) for user in range(USERS)]
    for sender in senders:
        sender.start()
    try:
        yield senders
        assert all(sender.is_alive() for sender in senders), "a sender was told something wrong"
    finally:
        for sender in senders:
            sender.ended.set()
        for sender in senders:
            sender.join()
    assert sum(sender.acknowledged for sender in senders) > 500


def whole(store: Store, senders: list[Sender]) -> None:
    """Each user's events are there once and in order, and the saved memories are good for going on."""
    for sender in senders:
        history = store.history(str(sender.user)).events
        items = [item for item, _ in history]
        assert items == [f"item {n % 24}" for n in range(len(items))]
        assert sender.acknowledged <= len(items) <= sender.acknowledged + 8
        (saved,) = store.load_memories([str(sender.user)])
        if saved is not None:
            since = store.history(str(sender.user), saved.position)
            assert not since.complete and since.events == history[saved.position.events :]


def lists_are_those_of(histories: dict[str, list[tuple[str, int]]], run: Path, client: Client) -> None:
    artifact = load(run)
    for user, history in histories.items():
        answer = client.get(f"/recommendations?user={user}&seen=allowed")
        items, times = [item for item, _ in history], [when for _, when in history]
        (wanted,) = recommend(
            artifact.model, artifact.items, [items], times=[times], titles=artifact.titles, seen="allowed"
        )
        assert answer["events"] == len(history)
        alike([Recommendation(**row) for row in answer["items"]], list(wanted))


@pytest.mark.long
def test_killed_twenty_times_under_load(trained: Path, tmp_path: Path) -> None:
    chance, store = random.Random(1), str(tmp_path / "store")
    with sending() as senders:
        for _ in range(20):
            with forked_server(trained, store) as (process, client):
                for sender in senders:
                    sender.clients = [client]
                time.sleep(chance.uniform(0.0, 1.5))
                process.kill()
                process.join()
    with EmbeddedStore(Path(store)) as kept:
        whole(kept, senders)
        histories = {str(sender.user): kept.history(str(sender.user)).events for sender in senders}
    with forked_server(trained, store) as (_, client):
        lists_are_those_of(histories, trained, client)


@pytest.mark.long
def test_two_workers_and_their_redis_killed_under_load(trained: Path, tmp_path: Path) -> None:
    chance, redis = random.Random(2), Server(tmp_path, *DURABLE)
    workers = [contextlib.ExitStack(), contextlib.ExitStack()]
    try:
        made = [one.enter_context(forked_server(trained, redis.url)) for one in workers]
        with sending() as senders:
            for turn in range(9):
                for sender in senders:
                    sender.clients = [client for _, client in made]
                time.sleep(chance.uniform(0.3, 1.5))
                if turn % 3 == 2:
                    redis.kill()
                    time.sleep(0.2)
                    redis.start()
                else:
                    which = chance.randrange(2)
                    made[which][0].kill()
                    workers[which].close()
                    made[which] = workers[which].enter_context(forked_server(trained, redis.url))
            time.sleep(1)
        with RedisStore(redis.url) as kept:
            whole(kept, senders)
            histories = {str(sender.user): kept.history(str(sender.user)).events for sender in senders}
        for _, client in made:
            lists_are_those_of(histories, trained, client)
    finally:
        for one in workers:
            one.close()
        redis.kill()
