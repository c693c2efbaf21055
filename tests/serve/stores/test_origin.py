"""An index is used only with the journal that it was made of; beside any other it is made anew, and this is said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.serve.stores.contract import IncomingEvent, StoreError
from recollect.serve.stores.embedded import INDEX, JOURNAL, EmbeddedStore
from recollect.serve.stores.index import Index
from recollect.serve.stores.journal import Journal
from recollect.serve.stores.records import Event, Forget
from recollect.serve.stores.segments import checksum_of, last_record, read, segments


def incoming(count: int, user: str = "ann", first: int = 0, tag: str = "") -> list[IncomingEvent]:
    return [IncomingEvent(user, f"item-{n}", 1000 + n, f"{tag}{n}") for n in range(first, first + count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other"


def rebuilt(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    return (one.message for one in caplog.records if "rebuilt from the journal" in one.message)


def put_beside(journal: Path, index: Path, place: Path) -> Path:
    """The journal of one store and the index of another, in one folder."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(journal / JOURNAL, place / JOURNAL)
    shutil.copytree(index / INDEX, place / INDEX)
    return place


@pytest.mark.parametrize("more", [0, 7], ids=["of the same length", "longer"])
def test_another_journal_beside_an_index_is_taken_in_whole(
    folder: Path, other: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, more: int
) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(10), 0)
    with EmbeddedStore(other) as store:
        store.append(incoming(10 + more, "bob"), 0)
    with EmbeddedStore(put_beside(other, folder, tmp_path / "both")) as store:
        assert store.users() == ["bob"] and store.events == 10 + more
        (said,) = rebuilt(caplog)
        assert "it was made of another journal" in said
    caplog.clear()
    with EmbeddedStore(tmp_path / "both") as store:
        assert store.users() == ["bob"] and not list(rebuilt(caplog))


def test_two_journals_that_end_alike_are_told_apart(
    folder: Path, other: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As two imports of nearly the same log make them: their newest records do not differ in a bit."""
    for place, user in ((folder, "ann"), (other, "bob")):
        with EmbeddedStore(place) as store:
            store.append([*incoming(1, user), *incoming(3, "cleo", 5)], 0)
    newest = [(place / JOURNAL / "000000000001.log").read_bytes().splitlines()[-1] for place in (folder, other)]
    assert newest[0] == newest[1]
    with EmbeddedStore(put_beside(other, folder, tmp_path / "both")) as store:
        assert store.users() == ["bob", "cleo"] and len(list(rebuilt(caplog))) == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_copy_that_went_another_way_is_found(
    folder: Path, other: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, killed: bool
) -> None:
    """A backup, put back and used, beside the index of what came after it was made."""
    with EmbeddedStore(folder) as store:
        store.append(incoming(5), 0)
    shutil.copytree(folder, other)
    for place, tag in ((folder, "here"), (other, "there")):
        store = EmbeddedStore(place)
        store.append(incoming(4, tag, 5, tag), 0)
        if killed:
            assert store._index is not None
            store._index.abandon()
            store._journal.close()
        else:
            store.close()
    caplog.clear()
    with EmbeddedStore(put_beside(other, folder, tmp_path / "both")) as store:
        assert store.users() == ["ann", "there"]
        (said,) = rebuilt(caplog)
        assert "a journal with another record 9" in said


def test_one_that_only_went_on_is_caught_up_with(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(5), 0)
    shutil.copytree(folder / INDEX, tmp_path / "old")
    with EmbeddedStore(folder) as store:
        store.append(incoming(5, first=5), 0)
        store.forget("ann")
        store.append(incoming(2, "bob"), 0)
    shutil.rmtree(folder / INDEX)
    shutil.copytree(tmp_path / "old", folder / INDEX)
    with EmbeddedStore(folder) as store:
        assert store.users() == ["bob"] and not list(rebuilt(caplog))
        assert store._index is not None and store._index.origin.number == store._index.applied == 13


@pytest.mark.parametrize("left", [True, False], ids=["something is left", "nothing is left"])
def test_a_compaction_leaves_the_index_in_use(folder: Path, caplog: pytest.LogCaptureFixture, left: bool) -> None:
    with EmbeddedStore(folder, segment_bytes=200) as store:
        if left:
            store.append(incoming(3, "bob"), 0)
        store.append(incoming(9), 0)
        store.forget("ann")
        store.compact()
        assert store._index is not None and store._index.origin.number == (3 if left else 0)
    with EmbeddedStore(folder) as store:
        assert store.users() == (["bob"] if left else []) and not list(rebuilt(caplog))
        store.append(incoming(2, "cleo"), 0)
        assert store._index is not None and store._index.origin.number == store._index.applied
    with EmbeddedStore(folder) as store:
        assert store.users() == (["bob", "cleo"] if left else ["cleo"]) and not list(rebuilt(caplog))


def test_a_compaction_that_was_killed_costs_a_rebuild_and_no_event(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedStore(folder) as store:
        store.append([*incoming(3, "bob"), *incoming(9)], 0)
        store.forget("ann")
    with Journal(folder / JOURNAL) as journal:  # the files are done, the index is not
        journal.compact()
    with EmbeddedStore(folder) as store:
        assert store.users() == ["bob"] and store.events == 3
        assert len(list(rebuilt(caplog))) == 1


@pytest.mark.parametrize("again", [False, True], ids=["gone", "came again"])
def test_an_index_older_than_a_compaction_brings_nobody_back(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, again: bool
) -> None:
    with EmbeddedStore(folder) as store:
        store.append([*incoming(9), *incoming(3, "bob")], 0)
    shutil.copytree(folder / INDEX, tmp_path / "old")
    with EmbeddedStore(folder) as store:
        store.forget("ann")
        store.append(incoming(2, "ann", 20) if again else [], 0)
        store.compact()
        store.append(incoming(2, "bob", 3), 0)
    shutil.rmtree(folder / INDEX)
    shutil.copytree(tmp_path / "old", folder / INDEX)
    with EmbeddedStore(folder) as store:
        assert store.users() == (["ann", "bob"] if again else ["bob"]) and store.events == 5 + 2 * again
        (said,) = rebuilt(caplog)
        assert "a compaction removed records that it never took in" in said
    caplog.clear()
    with EmbeddedStore(folder) as store:
        assert store.users() == (["ann", "bob"] if again else ["bob"]) and not list(rebuilt(caplog))


def test_who_is_forgotten_while_the_index_fails_stays_so_after_a_compaction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with EmbeddedStore(folder) as store:
        store.append([*incoming(9), *incoming(3, "bob")], 0)
        with monkeypatch.context() as patch:
            patch.setattr(Index, "apply", full)
            with pytest.raises(StoreError):
                store.forget("ann")
            store._journal.compact()  # one that had begun before
        store.append(incoming(1, "cleo"), 0)
        assert store.users() == ["bob", "cleo"] and store.events == 4


def test_an_index_of_nothing_beside_a_copy_with_events_is_made_anew(
    folder: Path, other: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedStore(folder) as store:
        store.append(incoming(2), 0)
    shutil.copytree(folder, other)
    with EmbeddedStore(other) as store:
        store.append(incoming(2, "bob"), 0)
    with EmbeddedStore(folder) as store:
        store.forget("ann")
        store.compact()
        assert store._index is not None and store._index.origin.number == 0 and store._index.applied == 3
    shutil.rmtree(other / INDEX)
    shutil.copytree(folder / INDEX, other / INDEX)
    with EmbeddedStore(other) as store:
        assert store.users() == ["ann", "bob"] and store.events == 4
        assert "a journal with no record up to 3" in next(rebuilt(caplog))


STEPS = st.tuples(st.sampled_from(["append", "forget", "compact"]), st.sampled_from("ab"))


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=8))
def test_beside_any_older_index_the_journal_says_what_there_is(steps: list[tuple[str, str]]) -> None:
    """The oracle is the same journal without an index."""

    def answers(index: Path | None) -> object:
        shutil.rmtree(folder / INDEX, ignore_errors=True)
        if index is not None:
            shutil.copytree(index, folder / INDEX)
        with EmbeddedStore(folder) as store:
            return [(user, store.summary(user), store.history(user).events) for user in store.users()], store.events

    with tempfile.TemporaryDirectory() as place:
        folder, copies = Path(place) / "store", Path(place) / "copies"
        for number, (step, user) in enumerate([("append", "a"), ("append", "b"), *steps]):
            with EmbeddedStore(folder, segment_bytes=300) as store:
                if step == "append":
                    store.append(incoming(2, user, number * 2), 0)
                elif step == "forget":
                    store.forget(user)
                else:
                    store.compact()
            shutil.copytree(folder / INDEX, copies / str(number))
        truth = answers(None)
        assert all(answers(copy) == truth for copy in copies.iterdir())


def test_a_shorter_journal_is_still_refused(folder: Path, other: Path, tmp_path: Path) -> None:
    """Whether it is another one, or has lost its end: what was acknowledged is not there."""
    for place, count in ((folder, 9), (other, 4)):
        with EmbeddedStore(place) as store:
            store.append(incoming(count), 0)
    with pytest.raises(StoreError, match="ends at record 4, but it had 9 before"):
        EmbeddedStore(put_beside(other, folder, tmp_path / "both"))


def test_a_journal_without_an_id_is_known_by_its_newest_record(
    folder: Path, other: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place, user in ((folder, "ann"), (other, "bob")):
        with Journal(place / JOURNAL) as journal:
            journal.id = ""
            segments(place / JOURNAL)[0].path.unlink()
            journal._start_segment()
            journal.append([Event(user, f"item-{n}", n, f"id-{n}") for n in range(4)])
        with EmbeddedStore(place) as store:
            assert store._journal.id == "" and store.users() == [user]
    with EmbeddedStore(put_beside(other, folder, tmp_path / "both")) as store:
        assert store.users() == ["bob"] and len(list(rebuilt(caplog))) == 1


def test_every_file_of_a_journal_has_its_id_and_checksums_are_those_of_the_lines(folder: Path) -> None:
    tricky = Event('x {"n":3,"user"', 'y\\" {"n":4,"forget"', 5, "1")
    with Journal(folder, segment_bytes=300) as journal:
        for n in range(20):
            journal.append([tricky if n % 5 == 0 else Event("ann", "item", n, f"{n}"), Forget(f"user-{n}")])
        identity = journal.id
    files = segments(folder)
    assert len(files) > 3
    assert all(f'"id":"{identity}"'.encode() in one.path.read_bytes().splitlines()[0] for one in files)
    with Journal(folder) as journal:
        assert journal.id == identity
    lines = [line for one in files for line in one.path.read_bytes().splitlines()[1:]]
    assert [checksum_of(folder, number) for number, _ in read(folder)] == [line[:8] for line in lines]
    assert checksum_of(folder, 41) is None and checksum_of(folder, 0) is None
    assert last_record(folder, 17) == (17, lines[16][:8]) and last_record(folder, 99) == (40, lines[39][:8])
    assert last_record(folder, 0) is None
