"""Atomic files: typed headers, sequences of words, and side tables beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError


@pytest.fixture
def atomic(tmp_path: Path) -> Path:
    (tmp_path / "x.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t3\t9E8\n1\t5\t3\t8E8\n"
    )
    (tmp_path / "x.item").write_text(
        'item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n7\tA "B\t1995\tDrama War\n'
    )
    (tmp_path / "x.user").write_text("user_id:token\tage:token\tgender:token\n1\t24\tM\n")
    return tmp_path


def test_events_and_side_tables(atomic: Path) -> None:
    log = sources.read(atomic)
    assert log.item_ids.decode(log.items).tolist() == [5, 7] and log.times.tolist() == [800_000_000, 900_000_000]
    assert log.titles().tolist() == ["", "5", 'A "B']
    assert log.item_table is not None and log.user_table is not None
    assert log.item_table["genres"].tolist() == [None, "Drama|War"] and log.item_table["year"].tolist()[1] == 1995
    assert log.user_table["age"].tolist() == [24] and log.user_table["gender"].tolist() == ["M"]


def test_the_columns_may_have_other_names(atomic: Path) -> None:
    text = (atomic / "x.inter").read_text().replace("user_id", "who").replace("item_id", "what")
    (atomic / "x.inter").write_text(text)
    with pytest.raises(DataError, match="no column looks like the user"):
        sources.read(atomic)
    assert len(sources.read(atomic, user="who", item="what")) == 2


def test_a_header_without_types(atomic: Path) -> None:
    (atomic / "x.inter").write_text("user_id\titem_id:token\n1\t2\n")
    with pytest.raises(DataError, match=r"x\.inter line 1: 'user_id' is no typed column"):
        sources.read(atomic)


def test_bad_lines_keep_their_numbers_below_the_header(atomic: Path) -> None:
    with (atomic / "x.inter").open("a") as file:
        file.write("1\t8\t1\tx\n")
    with pytest.raises(DataError, match=r"x\.inter line 4: 'x' in column 'timestamp'"):
        sources.read(atomic)


def test_several_event_files_are_not_guessed_among(atomic: Path) -> None:
    (atomic / "y.inter").write_text("user_id:token\titem_id:token\n1\t2\n")
    with pytest.raises(DataError, match=r"2 \.inter files \(x\.inter, y\.inter\); name one"):
        sources.read(atomic)
    assert len(sources.read(atomic / "y.inter")) == 1
