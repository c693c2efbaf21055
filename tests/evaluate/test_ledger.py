"""The ledger's trip to disk and back, its filters, and what it refuses to mix."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data.log import DataError
from recollect.data.parquet import read_columns, write_columns
from recollect.evaluate.ledger import MISS, Ledger, concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.protocol import Protocol
from recollect.evaluate.significance import compare as paired

PROTOCOL = Protocol("toy", "0" * 12, "loo, test", "file", "hidden", "unused", "all 9 items")


def ledger(ranks, *, run="a", seed=0, ids=None, protocol=PROTOCOL) -> Ledger:
    count = len(ranks)
    users = np.arange(count)
    return Ledger(
        np.full(count, run, dtype=object),
        np.full(count, seed, dtype=np.int64),
        users,
        users * 10 if ids is None else np.array(ids, dtype=object),
        users + 1,
        users + 3,
        np.asarray(ranks, dtype=np.int32),
        {run: protocol},
    )


def assert_same(mine: Ledger, theirs: Ledger) -> None:
    assert mine.protocols == theirs.protocols and mine.unseeded == theirs.unseeded
    for name, column in mine.columns().items():
        assert column.tolist() == theirs.columns()[name].tolist()
        assert column.dtype == theirs.columns()[name].dtype


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.integers(1, MISS)), min_size=1, max_size=8))
def test_saved_and_loaded_is_the_same(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("ledger") / "ledger.parquet"
    ids, ranks = zip(*rows, strict=True)
    before = concat([ledger(ranks, ids=ids), ledger(ranks, run="b", seed=5, ids=ids)])
    before.save(path)
    assert_same(Ledger.load(path), before)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_integer_ids_stay_integers(tmp_path):
    ledger([1, 2, MISS]).save(tmp_path / "l.parquet")
    assert_same(Ledger.load(tmp_path / "l.parquet"), ledger([1, 2, MISS]))


def test_which_runs_draw_no_random_numbers_is_kept_with_them(tmp_path):
    counted = dataclasses.replace(ledger([1, 2], run="counted"), unseeded={"counted"})
    both = concat([ledger([3, 4]), counted])
    assert both.unseeded == {"counted"} and both.ranks_only().unseeded == {"counted"}
    assert both.of("counted").unseeded == {"counted"} and both.of("a").unseeded == frozenset()
    assert "any" in both._display().rows[1] and "any" not in both._display().rows[0]
    both.save(tmp_path / "l.parquet")
    assert_same(Ledger.load(tmp_path / "l.parquet"), both)
    with pytest.raises(ValueError, match="'b', and the ledger has no such run"):
        dataclasses.replace(both, unseeded={"b"})


def test_a_ledger_kept_before_it_said_so_is_read(tmp_path):
    columns = ledger([1, 2]).columns()
    about = {"format": 1, "miss": MISS, "protocols": {"a": dataclasses.asdict(PROTOCOL)}}
    write_columns(tmp_path / "old.parquet", columns, {"recollect.ledger": json.dumps(about)})
    assert_same(Ledger.load(tmp_path / "old.parquet"), ledger([1, 2]))


def test_filter_by_run_and_seed():
    both = concat([ledger([1, 2]), ledger([3, 4], seed=1), ledger([5, 6], run="b")])
    assert both.runs == ["a", "b"]
    assert both.of("a").rank.tolist() == [1, 2, 3, 4]
    assert both.of("a", 1).rank.tolist() == [3, 4]
    assert both.of("b").runs == ["b"]
    with pytest.raises(DataError, match="no run 'c'"):
        both.of("c")
    with pytest.raises(DataError, match="no seed 9"):
        both.of("a", 9)


def test_named_otherwise_it_holds_the_same():
    counted = dataclasses.replace(ledger([1, 2], run="counted"), unseeded={"counted"})
    other = counted.named("fading")
    assert other.runs == ["fading"] and other.unseeded == {"fading"} and other.protocols["fading"].users == 2
    assert_same(other.named("counted"), counted)
    with pytest.raises(ValueError, match="one run"):
        concat([counted, ledger([3, 4])]).named("both")


def test_ranks_only_keeps_what_figures_are_made_of_and_nothing_of_the_log(tmp_path):
    names = ["ann", "bob", "cy"]
    whole = concat([ledger([1, 12, MISS], ids=names), ledger([2, 3, 4], run="b", ids=names)])
    bare = whole.ranks_only()
    assert measure(bare.of("a")).values == measure(whole.of("a")).values
    assert paired(bare, "a", ["b"]) == paired(whole, "a", ["b"])
    assert not bare.item.any() and bare.user_id.tolist() == whole.user.tolist()
    assert bare.length.tolist() == whole.length.tolist() and whole.item.all()
    bare.save(tmp_path / "l.parquet")
    assert_same(Ledger.load(tmp_path / "l.parquet"), bare)


def test_the_ids_of_items_are_kept_and_a_ledger_without_them_is_read(tmp_path):
    names = np.array(["sku-1", "sku-2"], dtype=object)
    named = dataclasses.replace(ledger([1, 2]), item_id=names)
    named.save(tmp_path / "new.parquet")
    again = Ledger.load(tmp_path / "new.parquet")
    assert_same(again, named)
    assert again.of("a").item_id.tolist() == ["sku-1", "sku-2"] and "item_id" not in named.ranks_only().columns()
    before = ledger([3, 4], run="before")  # as it was kept before 0.2
    before.save(tmp_path / "old.parquet")
    assert "item_id" not in pq.read_table(tmp_path / "old.parquet").column_names
    both = concat([Ledger.load(tmp_path / "old.parquet"), again])
    assert both.item_id is None and both.rank.tolist() == [3, 4, 1, 2]
    two = concat([again, dataclasses.replace(named, run=np.full(2, "b", dtype=object), protocols={"b": PROTOCOL})])
    assert two.item_id.tolist() == ["sku-1", "sku-2"] * 2


def test_users_targets_and_seeds_are_counted_from_rows():
    protocol = concat([ledger([1, 2]), ledger([3, 4], seed=4)]).protocols["a"]
    assert (protocol.users, protocol.targets, protocol.seeds) == (2, 2, (0, 4))


def test_one_name_measured_in_two_ways_is_refused():
    other = dataclasses.replace(PROTOCOL, seen="allowed")
    with pytest.raises(DataError, match=r"measured in two ways.*seen"):
        concat([ledger([1]), ledger([1], seed=1, protocol=other)])


def test_one_seed_twice_is_refused():
    with pytest.raises(DataError, match="seed 0 in two ledgers"):
        concat([ledger([1]), ledger([2])])


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        dataclasses.replace(ledger([1, 2]), item=np.array([1]))


def test_what_is_no_ledger_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        Ledger.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match="not a readable Parquet"):
        Ledger.load(tmp_path / "text.parquet")
    write_columns(tmp_path / "other.parquet", {"x": np.arange(2)}, {})
    with pytest.raises(DataError, match="no ledger"):
        Ledger.load(tmp_path / "other.parquet")
    ledger([1, 2]).save(tmp_path / "l.parquet")
    whole = (tmp_path / "l.parquet").read_bytes()
    (tmp_path / "l.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a readable Parquet"):
        Ledger.load(tmp_path / "l.parquet")
    columns, metadata = ledger([1]).columns(), '{"format": 99, "protocols": {}}'
    write_columns(tmp_path / "newer.parquet", columns, {"recollect.ledger": metadata})
    with pytest.raises(DataError, match="newer"):
        Ledger.load(tmp_path / "newer.parquet")


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        ledger([1]).save(tmp_path / "file" / "l.parquet")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_bit_that_changes_in_the_file_is_found_wherever_it_changes_a_value(tmp_path):
    kept = ledger(range(1, 400), ids=[f"user {n}" for n in range(399)])
    kept.save(tmp_path / "whole.parquet")
    data = (tmp_path / "whole.parquet").read_bytes()
    refused = 0
    for place in range(0, len(data), 97):
        changed = bytearray(data)
        changed[place] ^= 4
        (tmp_path / "changed.parquet").write_bytes(changed)
        try:
            assert_same(Ledger.load(tmp_path / "changed.parquet"), kept)  # a byte that nothing reads
        except DataError as error:
            assert str(tmp_path / "changed.parquet") in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 20


def test_a_rank_that_was_changed_in_a_valid_file_is_found(tmp_path):
    ledger([1, 2, 3]).save(tmp_path / "l.parquet")
    columns, metadata = read_columns(tmp_path / "l.parquet")
    columns["rank"][1] = 1
    write_columns(tmp_path / "l.parquet", columns, metadata)
    with pytest.raises(DataError, match=r"l.parquet: damaged \(it is not what was written\); restore it from a copy"):
        Ledger.load(tmp_path / "l.parquet")
