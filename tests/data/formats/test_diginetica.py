"""Diginetica: the time is a day and milliseconds since the session began."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError

VIEWS = "".join(
    f"{line}\n"
    for line in (
        "sessionId;userId;itemId;timeframe;eventdate",
        "1;NA;81766;526309;2016-05-09",
        "1;NA;31331;1031018;2016-05-09",
        "1;7;9;10;2016-05-09",
    )
)


def test_views(tmp_path: Path) -> None:
    (tmp_path / "train-item-views.csv").write_text(VIEWS)
    (tmp_path / "product-categories.csv").write_text("itemId;categoryId\n1;2\n")
    log = sources.read(tmp_path)
    assert log.user_ids.ids.tolist() == [1] and log.item_ids.decode(log.items).tolist() == [9, 81766, 31331]
    day = 1462752000  # 2016-05-09
    assert log.times.tolist() == [day, day + 526, day + 1031]


def test_a_header_as_preparations_write_it(tmp_path: Path) -> None:
    path = tmp_path / "train-item-views.csv"
    path.write_text(VIEWS)
    before = sources.read(path).digest
    path.write_text(VIEWS.replace("sessionId;userId;itemId", "session_id;user_id;item_id"))
    assert sources.read(path).digest == before


def test_a_day_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "train-item-views.csv"
    path.write_text(VIEWS + "2;NA;5;100;2016-13-09\n")
    with pytest.raises(DataError, match=r"line 5: eventdate and timeframe are no time"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert len(log) == 3 and sum(one.events for one in log.dropped) == 1
