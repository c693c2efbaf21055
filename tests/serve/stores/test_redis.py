"""The store on a real Redis server, which the tests start: the same answers as plain lists give, by several workers."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from recollect.config import ConfigError
from recollect.serve.engine import Engine
from recollect.serve.requests import UserRequest
from recollect.serve.stores import redis as redis_module
from recollect.serve.stores.contract import IncomingEvent, Position, SavedMemory, StoreError
from recollect.serve.stores.redis import RedisStore

from ..material import artifact
from ..test_engine import alike, offline, some
from .redis_server import DURABLE, Server, server
from .reference import AgainstReference

__all__ = ["server"]  # a fixture


def emptied(server: Server) -> RedisStore:
    store = RedisStore(server.url)
    store._redis.flushall()
    return store


@pytest.fixture
def store(server: Server) -> Iterator[RedisStore]:
    with emptied(server) as one:
        yield one


def test_it_is_told_and_asked_the_same_as_lists(server: Server) -> None:
    class OnRedis(AgainstReference):
        def begin(self) -> RedisStore:
            return emptied(server)

        def reopen(self) -> RedisStore:
            return RedisStore(server.url)

    case = OnRedis.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
    case().runTest()


def test_several_workers_answer_alike_whoever_was_told(server: Server, store: RedisStore) -> None:
    with RedisStore(server.url) as other:
        workers = [Engine(artifact("xlstm-lsr"), one) for one in (store, other)]
        chance = random.Random(0)
        for turn in range(12):
            chance.choice(workers).add(some(3, "ann", 3 * turn, seed=turn))
            one = chance.choice(workers)
            (answer,) = one.recommend([UserRequest("ann", k=5)])
            alike(answer.items, offline(one.artifact, store.history("ann").events, 5))
            if chance.random() < 0.4:
                chance.choice(workers).save()
        assert store.refusal() is None
        assert workers[0].forget("ann")
        assert workers[1].recommend([UserRequest("ann")])[0].source == "newcomer"


def as_of_an_older_version(store: RedisStore, user: str) -> None:
    """Take the counts of a user away and put the set of seen items in their place."""
    keys = [key.decode() for key in store._redis.keys("*")]
    assert f"recollect:c:{user}" in keys and not [key for key in keys if key.startswith("recollect:s:")]
    store._redis.sadd(f"recollect:s:{user}", *store._redis.hkeys(f"recollect:c:{user}"))
    store._redis.delete(f"recollect:c:{user}")
    store._redis.hdel(f"recollect:p:{user}", "counted")


@pytest.mark.parametrize("first", ["asked", "told"])
def test_users_of_an_older_version_are_counted_when_they_are_asked_for(store: RedisStore, first: str) -> None:
    items = ["a|b", "c", "a|b", "d\ne", "c", "a|b"]
    store.append([IncomingEvent("ann", item, 100 - turn) for turn, item in enumerate(items)], 0)
    as_of_an_older_version(store, "ann")
    expected = [3, 2, 1, 0]
    if first == "told":
        store.append([IncomingEvent("ann", "c"), IncomingEvent("ann", "f")], 200)
        expected = [3, 3, 1, 1]
    for _ in range(2):
        assert store.meetings("ann", ["a|b", "c", "d\ne", "f"]) == expected
        assert store._redis.exists("recollect:s:ann") == 0 and store._redis.exists("recollect:c:ann") == 1
    store.append([IncomingEvent("ann", "a|b")], 300)
    assert store.meetings("ann", ["a|b"]) == [4]
    assert store.forget("ann") and store.meetings("ann", ["a|b"]) == [0]
    assert not store._redis.keys("recollect:?:ann")


def test_a_history_of_an_older_version_is_read_with_counts(store: RedisStore) -> None:
    store.append([IncomingEvent("ann", item) for item in ("a|b", "c", "a|b")], 0)
    before = store.summary("ann")
    assert before is not None
    store.append([IncomingEvent("ann", item) for item in ("c", "d")], 0)
    as_of_an_older_version(store, "ann")
    assert store.history("ann", before.position, counts=True).counts == {"c": 2, "d": 1}
    assert store.history("ann", counts=True).counts == {"a|b": 2, "c": 2, "d": 1}


def test_events_that_an_older_version_took_in_meanwhile_are_counted_too(store: RedisStore) -> None:
    store.append([IncomingEvent("ann", "a"), IncomingEvent("ann", "b")], 0)
    store._redis.rpush("recollect:e:ann", "3|5|a")  # as its script does
    store._redis.hset("recollect:p:ann", mapping={"count": 3, "last": 3, "newest": 5})
    store.append([IncomingEvent("ann", "b")], 9)
    assert store.meetings("ann", ["a", "b", "c"]) == [2, 2, 0]
    store._redis.delete("recollect:p:ann", "recollect:e:ann", "recollect:i:ann")  # as it forgot
    store.append([IncomingEvent("ann", "c")], 9)
    assert store.meetings("ann", ["a", "b", "c"]) == [0, 0, 1]


def test_workers_that_write_at_once_lose_and_double_nothing(server: Server, store: RedisStore) -> None:
    def work(number: int) -> None:
        with RedisStore(server.url) as own:
            for turn in range(20):  # each sends everybody's events, so every event is sent four times
                own.append([IncomingEvent(f"user-{turn % 3}", f"item-{turn}", 1000 + turn, f"id-{turn}")], 0)
                own.append([IncomingEvent("all", f"item-{number}-{turn}", 1000, f"id-{number}-{turn}")], 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.events == 20 + 80
    for user in range(3):
        assert store.history(f"user-{user}").events == [(f"item-{n}", 1000 + n) for n in range(user, 20, 3)]
    assert {item for item, _ in store.history("all").events} == {f"item-{n}-{t}" for n in range(4) for t in range(20)}


def test_a_killed_server_has_what_was_acknowledged(tmp_path: Path) -> None:
    server = Server(tmp_path, *DURABLE)
    store, acknowledged, chance = RedisStore(server.url), 0, random.Random(3)
    try:
        for turn in range(10):
            killer = threading.Timer(chance.uniform(0.0, 0.1), server.kill)
            killer.start()
            with pytest.raises(StoreError, match="127.0.0.1"):
                while True:
                    events = range(max(0, acknowledged - 2), acknowledged + chance.randint(1, 5))
                    store.append([IncomingEvent("ann", f"item-{n}", 1000 + n, f"id-{n}") for n in events], 0)
                    acknowledged = events.stop
                    position = store.history("ann").summary.position  # type: ignore[union-attr]
                    store.save_memories([("ann", SavedMemory("abc", position, turn, b"%d" % position.events))])
            killer.join()
            server.start()
            items = [item for item, _ in store.history("ann").events]
            assert items == [f"item-{n}" for n in range(len(items))] and acknowledged <= len(items) <= acknowledged + 5
            (saved,) = store.load_memories(["ann"])
            if saved is not None:
                assert saved.data == b"%d" % saved.position.events and not store.history("ann", saved.position).complete
        assert acknowledged > 20
    finally:
        server.kill()


def test_a_server_that_acknowledges_too_early_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path, "--requirepass", "secret-secret") as server:
        address = server.url.replace("redis://", "redis://:secret-secret@")
        with pytest.raises(StoreError, match="appendfsync always") as refused:
            RedisStore(address)
        assert "secret-secret" not in str(refused.value)
        RedisStore(f"{address}?durability=trusted").close()
        with pytest.raises(StoreError, match="127.0.0.1"):
            RedisStore(server.url)  # without the password
    with pytest.raises(StoreError, match="127.0.0.1"):
        RedisStore(address)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"], "maxmemory-policy noeviction"),
        (["--no-appendfsync-on-rewrite", "yes"], "no-appendfsync-on-rewrite no"),
    ],
)
def test_a_server_that_loses_what_it_acknowledged_is_refused(tmp_path: Path, options: list[str], why: str) -> None:
    with Server(tmp_path, *DURABLE, *options) as server, pytest.raises(StoreError, match=why):
        RedisStore(server.url)


@pytest.mark.parametrize("snapshots", ["", "3600 1"])
def test_what_was_forgotten_is_gone_from_the_files_after_compaction(tmp_path: Path, snapshots: str) -> None:
    with Server(tmp_path, *DURABLE, "--save", snapshots) as server, RedisStore(server.url) as store:
        store.append([IncomingEvent("secret-user", "secret-item"), IncomingEvent("ann", "item")], 0)
        store.save_memories([("secret-user", SavedMemory("abc", Position(1, 1, 1), 0, b"secret-memory"))])
        if snapshots:
            store._redis.save()
        assert store.forget("secret-user")
        store.compact()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files and not any(b"secret" in path.read_bytes() for path in files)
        assert store.users() == ["ann"]


def test_a_compaction_that_failed_is_said(tmp_path: Path) -> None:
    with Server(tmp_path, *DURABLE) as server, RedisStore(server.url) as store:
        store.append([IncomingEvent("ann", "item")], 0)
        in_the_way = tmp_path / "appendonlydir" / "appendonly.aof.2.base.rdb"
        in_the_way.mkdir(parents=True)
        with pytest.raises(StoreError, match="could not rewrite its files"):
            store.compact()


def test_a_snapshot_that_failed_before_is_no_failure_of_a_compaction(tmp_path: Path) -> None:
    with Server(tmp_path, *DURABLE) as server, RedisStore(server.url) as store:
        store.append([IncomingEvent("ann", "item")], 0)
        (tmp_path / "dump.rdb").mkdir()
        store._redis.bgsave()
        assert store._wait_until_written()["rdb_last_bgsave_status"] == "err"
        store.compact()


def test_the_rest_of_an_address_is_used(server: Server, store: RedisStore) -> None:
    store.append([IncomingEvent("ann", "item")], 0)
    with RedisStore(f"{server.url}?db=3&durability=trusted") as other:
        assert store.users() == ["ann"] and other.users() == []


@pytest.mark.parametrize("path", ["/banana", "/3x", "/-1", "/1/2", "/%31", "//"])
def test_a_database_that_is_no_number_is_refused(server: Server, store: RedisStore, path: str) -> None:
    with pytest.raises(StoreError, match=r"127\.0\.0\.1.*the database is a number, as in redis://HOST:PORT/3"):
        RedisStore(f"{server.url.replace('redis://', 'redis://:secret@')}{path}")


@pytest.mark.parametrize(("path", "number"), [("", 0), ("/", 0), ("/0", 0), ("/3", 3)])
def test_a_database_is_chosen_by_its_number(server: Server, store: RedisStore, path: str, number: int) -> None:
    with RedisStore(f"{server.url}{path}") as other:
        other.append([IncomingEvent("in-it", "item")], 0)
        assert other._redis.connection_pool.connection_kwargs.get("db", 0) == number
        assert store.users() == (["in-it"] if number == 0 else [])
        other._redis.flushdb()


@pytest.mark.parametrize(
    ("rest", "why"), [("?durabilty=trusted", "durabilty= is not an option"), ("?db=banana", "db"), (":x", "[Pp]ort")]
)
def test_what_else_is_wrong_in_an_address_is_said(server: Server, rest: str, why: str) -> None:
    url = "redis://127.0.0.1:x" if rest == ":x" else server.url + rest
    with pytest.raises(StoreError, match=why):
        RedisStore(url)


def test_a_database_that_the_server_does_not_have_is_said(server: Server) -> None:
    with pytest.raises(StoreError, match="out of range"):
        RedisStore(f"{server.url}/99")


def test_a_server_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_module, "SECONDS", 0.5)
    with Server(tmp_path, *DURABLE) as server, RedisStore(server.url) as store:
        server._process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreError, match=r"127\.0\.0\.1.*[Tt]ime"):
            store.append([IncomingEvent("ann", "item")], 0)


def test_a_refused_event_takes_the_others_along(store: RedisStore) -> None:
    with pytest.raises(ValueError, match="item is empty"):
        store.append([IncomingEvent("ann", "one"), IncomingEvent("ann", "")], 0)
    assert store.users() == [] and store.history("ann", Position(0, 0, 0)).summary is None


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"pip install -c constraints.txt -e .\.\[redis\]"):
        RedisStore("redis://localhost")
