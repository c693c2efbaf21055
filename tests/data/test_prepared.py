"""A prepared log comes back bit for bit, from plain files, and a damaged or newer one is answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.config import digest
from recollect.data import prepared
from recollect.data.log import DataError, Dropped, EventLog, Table, build_log

TEXT = st.text(max_size=5)


def _log(items: list[str], clock: bool = True) -> EventLog:
    n = len(items)
    values = {
        "rating": np.linspace(0, 1, n),
        "a/b": np.array([None if k % 2 else f"v{k}" for k in range(n)], dtype=object),
    }
    log = build_log(
        np.arange(n) % 3, np.array(items, dtype=object), np.arange(n)[::-1] // 2 if clock else None,
        values, name="small", dropped=(Dropped("no time", 3, "line 5"),),
    )  # fmt: skip
    object.__setattr__(log, "item_table", Table({"title": log.item_ids.ids.copy()}))
    object.__setattr__(log, "notes", ("a note",))
    object.__setattr__(log, "date_order", "day-first" if clock else None)
    return log


def _same(a: EventLog, b: EventLog) -> None:
    for left, right in ((a.users, b.users), (a.items, b.items), (a.times, b.times)):
        assert left.dtype == right.dtype and np.array_equal(left, right)
    for left, right in ((a.user_ids.ids, b.user_ids.ids), (a.item_ids.ids, b.item_ids.ids)):
        assert left.dtype == right.dtype and left.tolist() == right.tolist()
    assert list(a.values) == list(b.values)
    assert all(a.values[k].tolist() == b.values[k].tolist() for k in a.values)
    for left_table, right_table in ((a.item_table, b.item_table), (a.user_table, b.user_table)):
        assert (left_table is None) == (right_table is None)
        if left_table is not None and right_table is not None:
            assert {k: v.tolist() for k, v in left_table.columns.items()} == {
                k: v.tolist() for k, v in right_table.columns.items()
            }
    fields = ("clock", "ties", "name", "dropped", "notes", "date_order", "digest")
    assert [getattr(a, f) for f in fields] == [getattr(b, f) for f in fields]
    assert a.item_ids.first == b.item_ids.first == 1


@given(items=st.lists(TEXT, min_size=1, max_size=8), clock=st.booleans())
def test_a_round_trip_changes_nothing(items: list[str], clock: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = _log(items, clock)
    folder = prepared.save(log, tmp_path_factory.mktemp("kept") / "log")
    _same(log, prepared.load(folder, verify=True))


def test_number_columns_are_memory_mapped_and_nothing_is_pickled(tmp_path: Path) -> None:
    folder = prepared.save(_log(["a", "b", "c"]), tmp_path / "log")
    base = prepared.load(folder).items
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    for path in folder.glob("*.npy"):
        np.load(path, allow_pickle=False)


def test_an_id_of_a_million_characters(tmp_path: Path) -> None:
    log = _log(["x" * 10**6, "y"])
    _same(log, prepared.load(prepared.save(log, tmp_path / "log")))


@pytest.mark.parametrize("name", ["items.npy", "times.npy", "item_ids.text.npy", "value.0.npy", "item.0.text.npy"])
def test_a_flipped_byte_is_found_on_request(tmp_path: Path, name: str) -> None:
    folder = prepared.save(_log(["a", "b", "c"]), tmp_path / "log")
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match=f"damaged.*{name}"):
        prepared.load(folder, verify=True)


def test_every_kind_of_damage_is_one_clear_line(tmp_path: Path) -> None:
    def damaged(change: object, what: str) -> None:
        folder = prepared.save(_log(["a", "b", "c"]), tmp_path / "log")
        change(folder)  # type: ignore[operator]
        with pytest.raises(DataError, match=what) as error:
            prepared.load(folder)
        assert str(folder) in str(error.value) and "\n" not in str(error.value)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

    damaged(lambda folder: (folder / "items.npy").unlink(), "items.npy is missing")
    damaged(lambda folder: (folder / "items.npy").write_bytes(b"short"), "items.npy has 5 bytes")
    damaged(lambda folder: (folder / "log.json").write_text('{"format": "recollect-log", '), "log.json cannot be read")
    index = '"name": "small"'
    damaged(
        lambda folder: (folder / "log.json").write_text(
            (folder / "log.json").read_text().replace(index, '"name": "smell"')
        ),
        "log.json is not what was written",
    )
    damaged(lambda folder: (folder / "log.json").unlink(), "no prepared log")


def test_a_newer_format_asks_for_a_newer_program(tmp_path: Path) -> None:
    folder = prepared.save(_log(["a"]), tmp_path / "log")
    index = json.loads((folder / "log.json").read_text())
    del index["check"]
    index["version"] = 99
    (folder / "log.json").write_text(json.dumps({**index, "check": digest(index)}))
    with pytest.raises(DataError, match=r"format 99.*upgrade recollect"):
        prepared.load(folder)


def test_nothing_is_overwritten_by_accident(tmp_path: Path) -> None:
    folder = prepared.save(_log(["a"]), tmp_path / "log")
    with pytest.raises(DataError, match="already"):
        prepared.save(_log(["b"]), folder)
    assert prepared.load(folder).item_ids.ids.tolist() == ["a"]
    prepared.save(_log(["b"]), folder, overwrite=True)
    assert prepared.load(folder, verify=True).item_ids.ids.tolist() == ["b"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="something is there already"):
        prepared.save(_log(["b"]), tmp_path / "mine", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "mine"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared.save(_log(["a"]), tmp_path / "log")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepared.np, "save", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left"):
        prepared.save(_log(["b"]), folder, overwrite=True)
    monkeypatch.undo()
    assert prepared.load(folder, verify=True).item_ids.ids.tolist() == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
