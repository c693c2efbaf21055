"""The store in a folder: the same answers as plain lists give, whatever happens to the folder between two calls."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import rule

from recollect.serve.stores import embedded, index, journal
from recollect.serve.stores.contract import IncomingEvent, Position, SavedMemory, StoreError
from recollect.serve.stores.embedded import INDEX, JOURNAL, EmbeddedStore
from recollect.serve.stores.encoding import number_key
from recollect.serve.stores.index import Index
from recollect.serve.stores.journal import Journal
from recollect.serve.stores.seal import SEAL
from recollect.serve.stores.segments import read, segments

from .reference import USERS, AgainstReference


class InAFolder(AgainstReference):
    """Killed, and its index lost, between two calls."""

    store: EmbeddedStore

    def begin(self) -> EmbeddedStore:
        self.folder = Path(tempfile.mkdtemp())
        return EmbeddedStore(self.folder)

    def reopen(self) -> EmbeddedStore:
        return EmbeddedStore(self.folder)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule()
    def kill(self) -> None:
        """As SIGKILL leaves it: nothing is closed or synced, and a line is begun."""
        self.store._index.abandon()
        self.store._journal.close()
        with segments(self.folder / JOURNAL)[-1].path.open("ab") as file:
            file.write(b"0123")
        self.store = self.reopen()

    @rule()
    def lose_the_index(self) -> None:
        self.store.close()
        memories = {user: self.reference.load_memories([user])[0] for user in USERS}
        shutil.rmtree(self.folder / INDEX)
        self.store = self.reopen()
        assert self.store.load_memories(USERS) == [None] * len(USERS)
        self.store.save_memories((user, memory) for user, memory in memories.items() if memory is not None)


TestInAFolder = InAFolder.TestCase
TestInAFolder.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


def incoming(count: int, user: str = "ann", first: int = 0) -> list[IncomingEvent]:
    return [IncomingEvent(user, f"item-{n}", 1000 + n, f"id-{n}") for n in range(first, first + count)]


def lose(store: EmbeddedStore) -> None:
    """Find the index damaged, so that it has to be made anew."""
    assert store._index is not None
    (store.folder / INDEX / index.DAMAGED).touch()
    store._drop_index(store._index, index.IndexDamagedError("by hand"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_an_event_that_cannot_be_kept_takes_the_others_along(folder: Path) -> None:
    with EmbeddedStore(folder) as store:
        with pytest.raises(ValueError, match="item is empty"):
            store.append([IncomingEvent("ann", "one"), IncomingEvent("ann", "")], 0)
        assert store.users() == []


def test_a_stranger_with_an_impossible_id_is_a_stranger(folder: Path) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(1), 0)
        assert store.summary("") is None and store.summary("x" * 600) is None
        assert store.meetings("ann", ["x" * 600, "item-0"]) == [0, 1] and store.meetings("bob", ["item-0"]) == [0]


def test_an_event_that_the_index_missed_is_not_doubled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        store.append(incoming(3), 0)
        with monkeypatch.context() as patch:
            patch.setattr(Index, "apply", full)
            with pytest.raises(StoreError, match="No space left.*with the same ids"):
                store.append(incoming(2, first=3), 0)
            with pytest.raises(StoreError, match="No space left"):
                store.append(incoming(1, "bob"), 0)
            assert len(store.history("ann").events) == 3  # reading goes on with all that was acknowledged
        assert [one.outcome for one in store.append(incoming(3, first=3), 0)] == ["repeated", "repeated", "new"]
        assert store.history("ann").events == [(f"item-{n}", 1000 + n) for n in range(6)]


def test_what_the_index_missed_is_not_jumped_over_when_somebody_is_forgotten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("whatever it is")

    with EmbeddedStore(folder) as store:
        store.append([*incoming(3), *incoming(1, "bob")], 0)
        with monkeypatch.context() as patch:
            patch.setattr(Index, "apply", full)
            with pytest.raises(RuntimeError):
                store.append(incoming(2, first=3), 0)
        assert store.forget("bob")
        assert [one.outcome for one in store.append(incoming(3, first=3), 0)] == ["repeated", "repeated", "new"]
    shutil.rmtree(folder / INDEX)
    with EmbeddedStore(folder) as store:
        assert store.history("ann").events == [(f"item-{n}", 1000 + n) for n in range(6)]


def test_what_a_failed_sync_left_behind_is_not_taken_for_acknowledged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with EmbeddedStore(folder) as store:
        store.append(incoming(3), 0)
        assert store.refusal() is None
        monkeypatch.setattr(store._journal, "_sync", broken)
        with pytest.raises(StoreError, match="a sync to disk failed"):
            store.append(incoming(1, first=3), 0)
        assert "a sync to disk failed" in str(store.refusal())
        lose(store)
        assert len(store.history("ann").events) == 3
        with pytest.raises(StoreError, match="a sync to disk failed"):
            store.append(incoming(1, first=3), 0)
        with pytest.raises(StoreError, match="a sync to disk failed"):
            store.compact()
        assert len(list(read(folder / JOURNAL))) == 3
    with EmbeddedStore(folder) as store:
        assert store.append(incoming(1, first=3), 0)[0].outcome == "new"


def test_an_index_that_fails_once_costs_nobody_anything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def once(*given: object) -> None:
        monkeypatch.undo()
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        monkeypatch.setattr(Index, "apply", once)
        assert [one.outcome for one in store.append(incoming(3), 0)] == ["new"] * 3
        assert len(store.history("ann").events) == 3


def test_whoever_is_forgotten_stays_so_when_the_index_is_made_anew_during_a_compaction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compacted, apply = threading.Event(), Index.apply

    def slowly(*given: object) -> None:
        compacted.wait(2)  # the compaction overtakes whoever has read a part of the journal
        apply(*given)  # type: ignore[arg-type]

    def make_anew() -> None:
        lose(store)
        store.summary("ann")

    monkeypatch.setattr(embedded, "CHUNK", 5)
    with EmbeddedStore(folder, segment_bytes=500) as store, ThreadPoolExecutor(1) as pool:
        store.append(incoming(20, "gone"), 0)
        store.append(incoming(20, "ann"), 0)
        assert store.forget("gone")
        monkeypatch.setattr(Index, "apply", slowly)
        rewrite, making = store._journal._rewrite, []

        def meanwhile(*given: object) -> int:
            if not making:
                making.append(pool.submit(make_anew))
                time.sleep(0.2)
            return rewrite(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(store._journal, "_rewrite", meanwhile)
        assert store._journal.compact() == 20
        compacted.set()
        making[0].result(timeout=60)
        assert store.users() == ["ann"] and store.summary("gone") is None


def test_an_index_that_could_not_be_filled_is_let_go_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        store.append(incoming(3), 0)
        lose(store)
        with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left") as kept:
            patch.setattr(Index, "apply", full)
            store.history("ann")
        assert len(store.history("ann").events) == 3 and kept.value.__traceback__ is not None


def test_a_compaction_that_fails_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        store.append([*incoming(20, "secret"), *incoming(20)], 0)
        store.forget("secret")
        for place, name in ((journal.os, "replace"), (index.Path, "chmod")):
            with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"):
                patch.setattr(place, name, full)
                store.compact()
            assert not list(folder.rglob("*.new"))
        store.compact()
        assert not any(b"secret" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_an_index_that_cannot_be_made_anew_now_is_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        store.append(incoming(3), 0)
        with monkeypatch.context() as patch:
            patch.setattr(index.lmdb, "open", full)
            lose(store)
            for _ in range(2):
                with pytest.raises(StoreError, match="No space left"):
                    store.history("ann")
        assert len(store.history("ann").events) == 3
        with monkeypatch.context() as patch:  # between closing the old file and opening the new one
            patch.setattr(index.lmdb, "open", full)
            with pytest.raises(StoreError, match="No space left"):
                store.compact()
        assert store.append(incoming(4), 0)[3].outcome == "new"


@pytest.mark.parametrize("how", ["garbage", "cut", "empty", "lost", "seal", "another version", "another boot"])
def test_a_broken_index_is_made_anew_when_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(2000), 0)
        store.save_memories([("ann", SavedMemory("abc", Position(1, 1, 1), 0, bytes(40_000)))])
        store._index.abandon()
        monkeypatch.setattr(store._index, "close", lambda: None)
    file = folder / INDEX / "data.mdb"
    match how:
        case "garbage":
            file.write_bytes(b"\x5a" * 40_000)
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "empty":
            file.write_bytes(b"")
        case "lost":
            (folder / INDEX / SEAL).write_text("a digest")
            file.unlink()
        case "seal":
            (folder / INDEX / SEAL).write_bytes(b"\xff\xfe")
        case "another version":
            monkeypatch.setattr(index, "_VERSION", b"another")
        case "another boot":
            monkeypatch.setattr(index, "_boot_id", lambda: b"another")
    with EmbeddedStore(folder) as store:
        assert store.history("ann").events == [(f"item-{n}", 1000 + n) for n in range(2000)]
        assert store.load_memories(["ann"]) == [None]
    assert how == "empty" or "rebuilt from the journal" in caplog.text


def test_a_changed_value_is_found_and_the_index_made_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(50), 0)
    file = folder / INDEX / "data.mdb"
    (folder / INDEX / SEAL).unlink()  # as if it had not been closed
    data = file.read_bytes()
    assert data.count(b"item-17") > 1  # in the event, and in the counts of what was met
    file.write_bytes(data.replace(b"item-17", b"item-71"))
    with EmbeddedStore(folder) as store:
        assert store.history("ann").events[17] == ("item-17", 1017)
        assert "rebuilt" in caplog.text
        assert not (folder / INDEX / index.DAMAGED).exists()


def test_a_changed_count_is_found_and_counted_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedStore(folder) as store:
        store.append([IncomingEvent("ann", item) for item in ("one", "two", "one", "one")], 0)
        assert store._index is not None
        key = number_key(1) + b"one"
        with store._index._writing() as change:
            value = bytearray(change.get(key, db=store._index._meetings))
            value[-4] ^= 1
            change.put(key, bytes(value), db=store._index._meetings)
        assert store.meetings("ann", ["one", "two", "three"]) == [3, 1, 0]
        assert "rebuilt" in caplog.text


def test_an_index_that_kept_only_what_was_seen_is_made_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedStore(folder) as store:
        store.append([IncomingEvent("ann", item) for item in ("one", "two", "one")], 0)
        assert store._index is not None
        with store._index._writing() as change:  # as version 2 of the index had it
            change.drop(store._index._meetings)
            for item in (b"one", b"two"):
                change.put(number_key(1) + item, b"", db=store._index._environment.open_db(b"seen", txn=change))
            change.put(b"version", b"2")
    with EmbeddedStore(folder) as store:
        assert store.meetings("ann", ["one", "two", "three"]) == [2, 1, 0]
        assert "of another version" in caplog.text


def test_a_page_that_a_disk_has_changed_is_found_wherever_it_is(folder: Path, tmp_path: Path) -> None:
    with EmbeddedStore(folder) as store:
        store.append([one for user in range(20) for one in incoming(50, f"user-{user}")], 0)
    whole, chance = (folder / INDEX / index.DATA).read_bytes(), random.Random(1)
    for turn in range(25):
        copy = Path(shutil.copytree(folder, tmp_path / str(turn)))
        data, place = bytearray(whole), chance.randrange(len(whole))
        data[place : place + 64] = chance.randbytes(len(data[place : place + 64]))
        (copy / INDEX / index.DATA).write_bytes(data)
        with EmbeddedStore(copy) as store:
            for user in range(20):
                name = f"user-{user}"
                assert store.history(name).events == [(f"item-{n}", 1000 + n) for n in range(50)]
                assert {one.outcome for one in store.append(incoming(50, name), 0)} == {"repeated"}


def test_a_page_that_changes_under_an_index_in_use_is_found_when_it_is_read(folder: Path, tmp_path: Path) -> None:
    with EmbeddedStore(folder) as store:
        store.append([one for user in range(20) for one in incoming(50, f"user-{user}")], 0)
    (folder / INDEX / SEAL).unlink()  # as a kill leaves it
    whole = (folder / INDEX / index.DATA).read_bytes()
    for page in range(2, len(whole) // 4096):
        copy = Path(shutil.copytree(folder, tmp_path / str(page)))
        data = bytearray(whole)
        data[4096 * page : 4096 * (page + 1)] = b"\x5a" * 4096
        (copy / INDEX / index.DATA).write_bytes(data)
        with EmbeddedStore(copy) as store:
            for user in range(20):
                assert store.history(f"user-{user}").events == [(f"item-{n}", 1000 + n) for n in range(50)]
            assert {one.outcome for one in store.append(incoming(50, "user-7"), 0)} == {"repeated"}
        shutil.rmtree(copy)


def test_a_journal_that_lost_its_end_is_refused(folder: Path) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(5), 0)
    shutil.rmtree(folder / JOURNAL)
    with Journal(folder / JOURNAL):
        pass
    with pytest.raises(StoreError, match="ends at record 0, but it had 5 before.*restore"):
        EmbeddedStore(folder)
    shutil.rmtree(folder / INDEX)
    EmbeddedStore(folder).close()


def test_two_owners_are_refused(folder: Path) -> None:
    with EmbeddedStore(folder), pytest.raises(StoreError, match="another process"):
        EmbeddedStore(folder)


def test_a_long_journal_is_applied_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CHUNK", 7)
    with EmbeddedStore(folder) as store:
        store.append(incoming(40), 0)
        store.forget("ann")
        store.append(incoming(3), 0)
        store.compact()
    shutil.rmtree(folder / INDEX)
    with EmbeddedStore(folder) as store:
        assert len(store.history("ann").events) == 3 and store._index.applied == 44


def test_what_was_forgotten_is_gone_from_every_file(folder: Path) -> None:
    with EmbeddedStore(folder) as store:
        for turn in range(30):
            store.append([IncomingEvent("secret-user", f"secret-item-{turn}"), *incoming(20, first=20 * turn)], turn)
        store.save_memories([("secret-user", SavedMemory("abc", Position(1, 1, 1), 0, b"secret-memory" * 1000))])
        assert any(b"secret" in path.read_bytes() for path in (folder / INDEX).iterdir())
        assert store.forget("secret-user") and not store.forget("secret-user")
        assert store.summary("secret-user") is None and store.history("secret-user").events == []
        assert store.compact() == 30
        assert store.append(incoming(1, first=7), 0)[0].outcome == "repeated"
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) >= 3 and not any(b"secret" in path.read_bytes() for path in files)
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in files) and not (folder / "index.new").exists()


def test_an_index_found_damaged_while_appending_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise index.IndexDamagedError("a checksum")

    with EmbeddedStore(folder) as store:
        store.append(incoming(3), 0)
        with monkeypatch.context() as patch:
            patch.setattr(Index, "apply", damaged)
            with pytest.raises(StoreError, match="a checksum; send it again"):
                store.append(incoming(2, first=3), 0)
        assert [one.outcome for one in store.append(incoming(3, first=3), 0)] == ["repeated", "repeated", "new"]


def test_many_threads_append_and_read(folder: Path) -> None:
    def write(user: int) -> None:
        for turn in range(10):
            store.append(incoming(5, f"user-{user}", first=5 * turn), 0)
            assert len(store.history(f"user-{user}").events) == 5 * turn + 5

    with EmbeddedStore(folder, segment_bytes=5000) as store, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, user) for user in range(8)]:
            done.result()
        assert {user: store.history(user).events for user in store.users()} == {
            f"user-{user}": [(f"item-{n}", 1000 + n) for n in range(50)] for user in range(8)
        }
        assert [number for number, _ in read(folder / JOURNAL)] == list(range(1, 401))
