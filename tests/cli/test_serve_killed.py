"""The whole server killed at random under load: nothing acknowledged is lost, nothing doubled, and no list is wrong."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from pathlib import Path

import pytest

from recollect.artifact import load
from recollect.recommend import Recommendation, recommend
from recollect.serve.embedded import EmbeddedStore

from ..serve.running import Client
from ..serve.test_engine import alike
from .test_serve import running

USERS = 8


class Sender(threading.Thread):
    """Sends a user's events in order, and again what was not acknowledged; asks for lists in between."""

    def __init__(self, user: int) -> None:
        super().__init__()
        self.user, self.acknowledged = user, 0
        self.client: Client | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        chance = random.Random(self.user)
        while not self.ended.is_set():
            client, first = self.client, max(0, self.acknowledged - 3)
            last = self.acknowledged + chance.randint(1, 8)
            batch = [
                {"user": self.user, "item": f"item {n % 24}", "time": 1_700_000_000 + n, "id": f"id-{n}"}
                for n in range(first, last)
            ]
            with contextlib.suppress(OSError, http.client.HTTPException, AttributeError):
                status, answer, _ = client.request("POST", "/events", {"events": batch})  # type: ignore[union-attr]
                assert status == 200, answer
                assert all(row["outcome"] == "repeated" for row in answer["events"][: self.acknowledged - first])
                self.acknowledged = last
                if chance.random() < 0.3:
                    assert client.get(f"/recommendations?user={self.user}")["events"] >= last  # type: ignore[union-attr]
                continue
            time.sleep(0.02)


@pytest.mark.long
def test_killed_twenty_times_under_load(trained: Path, tmp_path: Path) -> None:
    chance, store = random.Random(1), tmp_path / "store"
    senders = [Sender(user) for user in range(USERS)]
    try:
        for turn in range(20):
            with running(trained, store) as (process, client):
                for sender in senders:
                    sender.client = client
                    if turn == 0:
                        sender.start()
                time.sleep(chance.uniform(0.0, 1.5))
                process.kill()
                process.wait()
            assert all(sender.is_alive() for sender in senders), "a sender was told something wrong"
    finally:
        for sender in senders:
            sender.ended.set()
        for sender in senders:
            sender.join()
    assert sum(sender.acknowledged for sender in senders) > 500
    with EmbeddedStore(store) as kept:
        for sender in senders:
            items = [item for item, _ in kept.past(str(sender.user)).events]
            assert items == [f"item {n % 24}" for n in range(len(items))]
            assert sender.acknowledged <= len(items) <= sender.acknowledged + 8
            (saved,) = kept.saved([str(sender.user)])
            if saved is not None:
                assert not kept.past(str(sender.user), saved.mark).anew
        histories = {str(sender.user): kept.past(str(sender.user)).events for sender in senders}
    artifact = load(trained)
    with running(trained, store) as (_, client):
        for user, past in histories.items():
            answer = client.get(f"/recommendations?user={user}&seen=allowed")
            (wanted,) = recommend(
                artifact.model,
                artifact.items,
                [[item for item, _ in past]],
                times=[[when for _, when in past]],
                titles=artifact.titles,
                seen="allowed",
            )
            assert answer["events"] == len(past)
            alike([Recommendation(**row) for row in answer["items"]], list(wanted))
