"""MIND: clicks are events at the time of their impression, a user's history stands before the first of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError

BEHAVIORS = (
    "1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN3-1 N4-0\n"
    "2\tU1\t11/10/2019 11:05:58 PM\tN1 N2\tN5-1 N6-1 N7-0\n"
    "3\tU2\t11/12/2019 1:00:00 PM\t\tN3-0 N1-1\n"
    "4\tU3\t11/12/2019 1:00:00 PM\tN9\tN3-0\n"
)
NEWS = 'N1\tnews\tus\tThe "first\tabstract\thttp://x\t[]\t[]\nN3\tsports\tgolf\tThird\t\thttp://x\t[]\t[]\n'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "behaviors.tsv").write_text(BEHAVIORS)
    (tmp_path / "news.tsv").write_text(NEWS)
    (tmp_path / "entity_embedding.vec").write_text("Q1\t0.1\n")
    return tmp_path


def test_clicks_and_what_was_before(small: Path) -> None:
    log = sources.read(small)
    of = {
        str(user): log.item_ids.decode(log.items[log.users == code]).tolist()
        for code, user in enumerate(log.user_ids.ids)
    }
    assert of == {"U1": ["N1", "N2", "N5", "N6", "N3"], "U2": ["N1"], "U3": ["N9"]}
    first = 1573427158  # 2019-11-10 23:05:58 UTC
    assert log.times[:4].tolist() == [first] * 4 and log.times[4] == first + 36000
    assert log.titles()[log.item_ids.find("N1")] == 'The "first' and log.clock
    assert sources.read(small / "behaviors.tsv").digest == log.digest
    assert sources.read(small, format="mind").digest == log.digest and log.name == small.name


def test_a_bad_time_is_named_with_its_line(small: Path) -> None:
    with (small / "behaviors.tsv").open("a") as file:
        file.write("5\tU4\tyesterday\tN1\tN2-1\n")
    with pytest.raises(DataError, match=r"behaviors\.tsv line 5: 'yesterday'"):
        sources.read(small)


def test_a_line_that_is_cut_short_is_named(small: Path) -> None:
    with (small / "behaviors.tsv").open("a") as file:
        file.write("5\tU4\t11/12/2019 1:00:00 PM\n")
    with pytest.raises(DataError, match=r"behaviors\.tsv line 5: 3 fields where there are 5 columns"):
        sources.read(small)
    assert [one.events for one in sources.read(small, on_bad="skip").dropped] == [1]
