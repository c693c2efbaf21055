"""The journal: what was acknowledged is there, damage is found and said, what was forgotten is gone from the files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.serve.stores import journal as module
from recollect.serve.stores import segments as segment_files
from recollect.serve.stores.journal import Journal
from recollect.serve.stores.records import Event, Forget
from recollect.serve.stores.segments import JournalError, read, segments, valid_events


def event(number: int, user: str = "ann") -> Event:
    return Event(user, f"item-{number}", 1000 + number, f"id-{number}")


def at_once(file: int) -> None:
    """A sync that costs nothing, where durability is not what is tested."""


def numbered(folder: Path) -> dict[int, Event | Forget]:
    return dict(read(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_records_are_read_back_in_order_and_from_any_number(folder: Path) -> None:
    with Journal(folder, segment_bytes=200) as journal:
        assert journal.last == 0
        for number in range(1, 20, 2):
            assert journal.append([event(number), event(number + 1)]) == number
        assert journal.last == 20
    assert len(segments(folder)) > 3
    assert numbered(folder) == {number: event(number) for number in range(1, 21)}
    for after in range(22):
        assert [number for number, _ in read(folder, after)] == list(range(after + 1, 21))


def test_opened_again_it_goes_on(folder: Path) -> None:
    for number in range(1, 6):
        with Journal(folder, segment_bytes=150) as journal:
            assert journal.truncated == 0 and journal.last == number - 1
            journal.append([event(number)])
    assert numbered(folder) == {number: event(number) for number in range(1, 6)}


def test_nothing_is_acknowledged_before_it_is_synced(folder: Path) -> None:
    written: list[int] = []
    with Journal(folder, sync=lambda file: written.append(os.fstat(file).st_size)) as journal:
        for number in range(1, 4):
            journal.append([event(number)])
            assert written[-1] == segments(folder)[0].path.stat().st_size and len(written) == 1 + number


def test_what_a_kill_left_unsynced_is_synced_when_it_is_found(folder: Path) -> None:
    def never(_: int) -> None:
        raise KeyboardInterrupt  # as if the process ended here

    with pytest.raises(KeyboardInterrupt), Journal(folder, sync=at_once) as journal:
        journal.append([event(1)])
        journal._sync = never
        journal.append([event(2)])
    synced: list[int] = []
    with Journal(folder, sync=lambda file: synced.append(os.fstat(file).st_size)) as journal:
        assert journal.last == 2 and synced == [segments(folder)[0].path.stat().st_size]


def test_new_folders_are_synced_with_what_is_above_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(module, "_sync_folder", synced.append)
    Journal(tmp_path / "a" / "b").close()
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= set(synced)


def test_events_come_in_while_it_is_compacted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(folder, segment_bytes=200, sync=at_once) as journal, ThreadPoolExecutor(1) as pool:
        journal.append([event(1), event(2, "bob"), Forget("bob")])
        rewrite = journal._rewrite

        def slowly(*given: object) -> int:
            pool.submit(journal.append, [event(journal.last + 1)]).result(timeout=20)
            return rewrite(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(journal, "_rewrite", slowly)
        assert journal.compact() == 1
        assert journal.last == 4
    assert list(numbered(folder)) == [1, 4]


def test_many_records_cost_one_sync(folder: Path) -> None:
    syncs: list[int] = []
    with Journal(folder, sync=syncs.append) as journal:
        syncs.clear()
        journal.append([event(number) for number in range(1, 100)])
        assert len(syncs) == 1
        journal.append([])
        assert len(syncs) == 1 and journal.last == 99


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6), lost=st.integers(1, 400), hole=st.booleans())
def test_an_interrupted_write_is_cut_off_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], lost: int, hole: bool
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    ends = [0]
    with Journal(folder, sync=at_once) as journal:
        path = segments(folder)[0].path
        ends[0] = path.stat().st_size
        for size in sizes:
            journal.append([event(journal.last + 1 + place) for place in range(size)])
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    # The last append is interrupted after some bytes; a power cut may leave a block of zeros instead of the rest.
    keep = max(ends[-2], len(whole) - lost)
    path.write_bytes(whole[:keep] + (bytes(len(whole) - keep + 8) + b"\n" if hole else b""))
    acknowledged = sum(sizes[:-1])
    with Journal(folder, sync=at_once) as journal:
        assert acknowledged <= journal.last <= sum(sizes)
        assert numbered(folder) == {number: event(number) for number in range(1, journal.last + 1)}
        assert journal.append([event(journal.last + 1)]) == journal.last
    assert numbered(folder) == {number: event(number) for number in range(1, journal.last + 1)}


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder, segment_bytes=300, sync=at_once) as journal:
        for number in range(1, 8):
            journal.append([event(number)])
    path = segments(folder)[place % len(segments(folder))].path
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"damaged at byte \d+ .*restore"):
        numbered(folder)


def test_damage_before_whole_records_says_what_a_cut_would_lose(folder: Path) -> None:
    with Journal(folder) as journal:
        for number in range(1, 8):
            journal.append([event(number)])
    (file,) = segments(folder)
    lines = file.path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"item", b"Item", 1)
    file.path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match=r"4 whole records follow it, and would be lost"):
        Journal(folder)
    file.path.write_bytes(b"".join(lines[:4]))
    with pytest.raises(JournalError, match=r"cut it off at \d+$"):
        Journal(folder)


def test_a_lost_file_is_refused(folder: Path) -> None:
    with Journal(folder, segment_bytes=100) as journal:
        for number in range(1, 8):
            journal.append([event(number)])
    first, second, *_ = segments(folder)
    data = second.path.read_bytes()
    second.path.unlink()
    with pytest.raises(JournalError, match="missing before it; a file of the journal is lost"):
        numbered(folder)
    second.path.write_bytes(data)
    first.path.unlink()
    with pytest.raises(JournalError, match="first file of the journal is missing"):
        numbered(folder)
    with pytest.raises(JournalError, match="no journal is there"):
        numbered(folder / "elsewhere")


def test_a_line_taken_out_by_hand_is_refused(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.append([event(number) for number in range(1, 8)])
    path = segments(folder)[0].path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(JournalError, match="record 4 in the place of record 3"):
        numbered(folder)


def test_a_newer_format_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(folder).close()
    monkeypatch.setattr(segment_files, "FORMAT", 0)
    with pytest.raises(JournalError, match="format 1; update recollect"):
        Journal(folder)


def test_a_second_writer_is_refused_and_a_reader_is_not(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.append([event(1)])
        with pytest.raises(JournalError, match="another process writes"):
            Journal(folder)
        assert numbered(folder) == {1: event(1)}
    Journal(folder).close()


class Failing:
    """os.write and the sync, with a disk that is full at byte `room` or that cannot sync."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.syncs, self.cuts = 1 << 30, True, True
        write, cut = os.write, os.ftruncate
        monkeypatch.setattr(module.os, "write", lambda file, data: self.write(write, file, data))
        monkeypatch.setattr(module.os, "ftruncate", lambda file, size: self.cut(cut, file, size))

    def write(self, write, file, data):  # type: ignore[no-untyped-def]
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(file, data[: self.room])
        self.room -= done
        return done

    def cut(self, cut, file, size):  # type: ignore[no-untyped-def]
        if not self.cuts:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        cut(file, size)

    def sync(self, file: int) -> None:
        if not self.syncs:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    yield Failing(monkeypatch)


@pytest.mark.parametrize("room", [0, 1, 40, 100])
def test_a_full_disk_acknowledges_nothing_and_loses_nothing(folder: Path, failing: Failing, room: int) -> None:
    with Journal(folder) as journal:
        journal.append([event(1)])
        failing.room = room
        with pytest.raises(JournalError, match="nothing was written .*No space left"):
            journal.append([event(2), event(3)])
        assert journal.last == 1 and numbered(folder) == {1: event(1)}
        failing.room = 1 << 30
        assert journal.append([event(4)]) == 2
    assert numbered(folder) == {1: event(1), 2: event(4)}


def test_a_full_disk_when_a_file_is_begun(folder: Path, failing: Failing) -> None:
    with Journal(folder, segment_bytes=50) as journal:
        journal.append([event(1)])
        failing.room = 10
        with pytest.raises(JournalError, match="nothing was written"):
            journal.append([event(2)])
        failing.room = 1 << 30
        journal.append([event(3)])
    assert numbered(folder) == {1: event(1), 2: event(3)} and len(segments(folder)) == 2


def test_after_a_write_that_cannot_be_undone_nothing_more_is_taken(folder: Path, failing: Failing) -> None:
    with Journal(folder) as journal:
        journal.append([event(1)])
        failing.room, failing.cuts = 20, False
        with pytest.raises(JournalError):
            journal.append([event(2)])
        failing.room, failing.cuts = 1 << 30, True
        with pytest.raises(JournalError, match="could not be undone.*start again"):
            journal.append([event(2)])
    with Journal(folder) as journal:
        assert journal.truncated == 20 and journal.append([event(2)]) == 2
    assert numbered(folder) == {1: event(1), 2: event(2)}


def test_after_a_failed_sync_nothing_more_is_taken(folder: Path, failing: Failing) -> None:
    with Journal(folder, sync=failing.sync) as journal:
        journal.append([event(1)])
        failing.syncs = False
        with pytest.raises(JournalError, match="a sync to disk failed"):
            journal.append([event(2)])
        failing.syncs = True
        with pytest.raises(JournalError, match="a sync to disk failed"):
            journal.append([event(2)])
        assert journal.last == 1
    with Journal(folder) as journal:  # it may be there, as after any answer that never came
        assert journal.last in (1, 2)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened for writing"):
        Journal(tmp_path / "file" / "journal")


def test_a_kill_while_a_file_is_begun_is_mended(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.append([event(1)])
    for start in (b"", b"00"):
        (folder / "000000000002.log").write_bytes(start)
        with Journal(folder) as journal:
            assert journal.last == 1
    assert [one.first for one in segments(folder)] == [1]


def test_what_was_forgotten_is_void_at_once_and_gone_after_compaction(folder: Path) -> None:
    people = ["ann", "bob-the-secret", "cleo"]
    with Journal(folder, segment_bytes=300) as journal:
        for number in range(1, 31):
            journal.append([event(number, people[number % 3])])
        journal.append([Forget("bob-the-secret")])
        journal.append([event(32, "bob-the-secret")])
        wanted = {n: event(n, people[n % 3]) for n in range(1, 31) if n % 3 != 1} | {32: event(32, people[1])}
        assert dict(valid_events(folder)) == wanted
        assert journal.compact() == 10
        assert dict(valid_events(folder)) == numbered(folder) == wanted
        assert journal.compact() == 0
        assert journal.append([event(33)]) == 33
    with Journal(folder) as journal:
        assert journal.last == 33
        journal.append([Forget("bob-the-secret")])
        assert journal.compact() == 1
    assert not any(b"secret" in path.read_bytes() for path in folder.iterdir())
    assert len(numbered(folder)) == 21 and not list(folder.glob("*.new"))


@pytest.mark.parametrize("step", range(12))
def test_a_kill_during_compaction_leaves_what_can_be_compacted_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    class KilledError(BaseException):
        pass

    with Journal(folder, segment_bytes=300) as journal:
        for number in range(1, 21):
            journal.append([event(number, "ann" if number % 2 else "bob")])
        journal.append([Forget("bob")])
    left, replace = iter(range(step)), os.replace

    def until(*names: Path) -> None:
        if next(left, None) is None:
            raise KilledError
        replace(*names)

    monkeypatch.setattr(module.os, "replace", until)
    journal = Journal(folder)
    try:
        journal.compact()
    except KilledError:
        assert step < 11
    finally:
        journal.close()
    monkeypatch.undo()
    assert {number for number, _ in valid_events(folder)} == set(range(1, 20, 2))
    with Journal(folder) as journal:
        journal.compact()
        assert journal.append([event(22)]) == 22
    assert set(numbered(folder)) == {*range(1, 20, 2), 22}
