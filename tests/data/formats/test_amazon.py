"""Amazon reviews in the shapes that they are published in, with titles from the file of the products."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from recollect.data import sources

OF_2014 = "A39HTATAQ9V7YF,0205616461,5.0,1369699200\nA3JM6GV9MNOF9X,B000142FVW,3.0,1355443200\n"
OF_2018 = "0205616461,A39HTATAQ9V7YF,5.0,1369699200\nB000142FVW,A3JM6GV9MNOF9X,3.0,1355443200\n"
META = "{'asin': '0205616461', 'title': \"Bio-Active's\", 'price': 1.0}\n{'asin': 'B000142FVW', 'title': 'Polish'}\n"


@pytest.mark.parametrize("content", [OF_2014, OF_2018])
def test_ratings_without_header_in_either_order(content: str, tmp_path: Path) -> None:
    (tmp_path / "ratings_Beauty.csv").write_text(content)
    (tmp_path / "meta_Beauty.json.gz").write_bytes(gzip.compress(META.encode()))
    for source in (tmp_path, tmp_path / "ratings_Beauty.csv"):
        log = sources.read(source, values=("rating",))
        assert log.user_ids.ids.tolist() == ["A39HTATAQ9V7YF", "A3JM6GV9MNOF9X"]
        assert log.item_ids.decode(log.items).tolist() == ["0205616461", "B000142FVW"]
        assert log.times.tolist() == [1369699200, 1355443200] and log.values["rating"].tolist() == [5.0, 3.0]
        assert log.titles().tolist() == ["", "Bio-Active's", "Polish"]


def test_reviews_as_json(tmp_path: Path) -> None:
    review = {"reviewerID": "A1YJEY40YUW4SE", "asin": "B0000ABCDE", "helpful": [3, 4], "reviewText": "a\nb"}
    review |= {"overall": 1.0, "unixReviewTime": 1391040000, "reviewTime": "01 30, 2014"}
    lines = "".join(json.dumps({**review, "unixReviewTime": 1391040000 + k}) + "\n" for k in range(3))
    (tmp_path / "reviews_Beauty_5.json.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "meta_Beauty.json").write_text("{'asin': 'B0000ABCDE', 'title': 'One'}\n")
    log = sources.read(tmp_path)
    assert len(log) == 3 and log.times[0] == 1391040000 and log.titles().tolist() == ["", "One"]


USER, ITEM = "AEAAAAAAAAAAAAAAAAAAAAAAAAAA", "B000000010"
META_2023 = json.dumps({"main_category": "All Beauty", "title": "One", "store": "S", "parent_asin": ITEM}) + "\n"


def test_the_release_of_2023(tmp_path: Path) -> None:
    """The item is the parent_asin, times are milliseconds, and a long text stands before the ids."""
    review = {"rating": 4.0, "title": "A review", "text": "long " * 3000, "images": [], "asin": "B000000099"}
    review |= {"parent_asin": ITEM, "user_id": USER, "timestamp": 1588687728923, "verified_purchase": True}
    of_reviews, of_ratings = tmp_path / "reviews", tmp_path / "ratings"
    for folder in (of_reviews, of_ratings):
        folder.mkdir()
        (folder / "meta_All_Beauty.jsonl.gz").write_bytes(gzip.compress(META_2023.encode()))
    (of_reviews / "All_Beauty.jsonl").write_text(json.dumps(review) + "\n")
    (of_ratings / "All_Beauty.csv").write_text(
        f"user_id,parent_asin,rating,timestamp\n{USER},{ITEM},4.0,1588687728923\n"
    )
    for source in (of_reviews, of_ratings, of_ratings / "All_Beauty.csv"):
        log = sources.read(source, values=("rating",))
        assert log.user_ids.ids.tolist() == [USER] and log.item_ids.ids.tolist() == [ITEM]
        assert log.times.tolist() == [1588687728] and log.values["rating"].tolist() == [4.0]
        assert log.titles().tolist() == ["", "One"]
    assert sources.read(of_reviews, item="asin").item_ids.ids.tolist() == ["B000000099"]


def test_a_table_that_only_resembles_it(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user,item,rating,time\nA39HTATAQ9V7YF,0205616461,5.0,1369699200\n")
    assert len(sources.read(tmp_path)) == 1
