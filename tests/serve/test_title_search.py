"""Search by title against a plain walk over all titles, and what people type."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recollect.data.log import Vocabulary
from recollect.serve.title_search import TitleSearch

LETTERS = st.sampled_from("aAbBé \n(ß")
TITLES = st.lists(st.text(LETTERS, max_size=8), min_size=1, max_size=12)


def search(titles: list[str], counts: list[int] | None = None) -> TitleSearch:
    ids = Vocabulary(np.array([f"{number}" for number in range(1, len(titles) + 1)], dtype=object), first=1)
    by_code = np.array(["", *titles], dtype=object)
    return TitleSearch(ids, by_code, None if counts is None else np.array([0, *counts]))


def plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(one for one in letters if unicodedata.category(one) != "Mn").split())


def walked(titles: list[str], counts: list[int], text: str) -> list[str]:
    """Every title is looked at, and put into the first group that it belongs to."""
    wanted, ranked = plain(text), []
    for number, title in enumerate(titles, 1):
        name = plain(title)
        groups = (
            str(number) == text.strip(),
            name == wanted,
            name.startswith(wanted),
            f" {wanted}" in name,
            wanted in name,
            all(word in name for word in wanted.split()),
        )
        if any(groups) or not wanted:
            ranked.append((groups.index(True) if wanted else 0, -counts[number - 1], number))
    return [str(number) for *_, number in sorted(ranked)]


@given(titles=TITLES, text=st.text(LETTERS, max_size=4), limit=st.integers(1, 15), data=st.data())
@example(titles=["a", "b a", "ab"], text="b a", limit=5, data=None)
@example(titles=["a"], text="a a", limit=1, data=None)
def test_it_finds_what_a_walk_over_all_titles_finds(
    titles: list[str], text: str, limit: int, data: st.DataObject | None
) -> None:
    size = len(titles)
    counts = [1] * size if data is None else data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    found = search(titles, counts).find(text, limit)
    assert [one.item for one in found] == walked(titles, counts, text)[:limit]
    for one in found:
        assert one.title == titles[int(one.item) - 1] and one.events == counts[int(one.item) - 1]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("amelie", ["Amélie (2001)"]),
        ("AMÉLIE", ["Amélie (2001)"]),
        ("star", ["Star Wars (1977)", "Stargate (1994)", "Lone Star (1996)", "Mustard"]),
        ("wars star", ["Star Wars (1977)"]),
        ("  star   wars ", ["Star Wars (1977)"]),
        ("2", ["Star Wars (1977)", "Amélie (2001)"]),  # the id comes first
        ("nothing like it", []),
    ],
)
def test_what_people_type(text: str, titles: list[str]) -> None:
    known = ["Amélie (2001)", "Star Wars (1977)", "Mustard", "Stargate (1994)", "Lone Star (1996)"]
    assert [one.title for one in search(known, [9, 8, 7, 6, 5]).find(text, 10)] == titles


def test_without_counts_items_come_in_their_order() -> None:
    assert [(one.item, one.events) for one in search(["b", "a", "c"]).find("", 2)] == [("1", None), ("2", None)]


def test_a_large_catalogue_is_searched() -> None:
    titles = [f"The {number % 1000} days of {number}" for number in range(200_000)]
    index = search(titles, list(range(200_000)))
    assert index.find("the", 20)[0].item == "200000"
    assert [one.title for one in index.find("of 199998", 5)] == ["The 998 days of 199998"]
    assert [one.title for one in index.find("199998 days", 5)] == ["The 998 days of 199998"]
