"""KuaiRand: the two periods of what users chose, with the videos and users beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.data import sources

HEADER = "user_id,video_id,date,hourmin,time_ms,is_click\n"  # and more, in this order


@pytest.fixture
def pure(tmp_path: Path) -> Path:
    logs = {"standard_4_08_to_4_21": (11, 1649363081000), "standard_4_22_to_5_08": (12, 1650563081000)}
    logs["random_4_22_to_5_08"] = (13, 1650563082000)
    for name, (video, time) in logs.items():
        (tmp_path / f"log_{name}_pure.csv").write_text(f"{HEADER}0,{video},20220408,400,{time},1\n")
    (tmp_path / "video_features_basic_pure.csv").write_text("video_id,author_id,video_type,tag\n11,5,NORMAL,39\n")
    (tmp_path / "user_features_pure.csv").write_text("user_id,age_range\n0,18-23\n")
    return tmp_path


def test_the_standard_logs_of_a_folder(pure: Path) -> None:
    log = sources.read(pure)
    assert log.item_ids.ids.tolist() == [11, 12] and log.times.tolist() == [1649363081, 1650563081]
    assert log.titles().tolist() == ["", "11", "12"]  # videos have no titles
    assert log.item_table is not None and log.item_table["video_type"].tolist() == ["NORMAL", None]
    assert log.user_table is not None and log.user_table["age_range"].tolist() == ["18-23"]


def test_the_largest_comes_in_parts(tmp_path: Path) -> None:
    for part, (video, time) in enumerate(((11, 1649363081000), (12, 1650563081000)), 1):
        path = tmp_path / f"log_standard_4_08_to_4_21_27k_part{part}.csv"
        path.write_text(f"{HEADER}0,{video},20220408,400,{time},1\n")
    assert sources.read(tmp_path).item_ids.ids.tolist() == [11, 12]


def test_a_log_that_is_named(pure: Path) -> None:
    assert sources.read(pure / "log_random_4_22_to_5_08_pure.csv").item_ids.ids.tolist() == [13]
