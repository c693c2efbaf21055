"""Two products with one title are told apart on the page, by their ids. Needs Chromium."""

from __future__ import annotations

import dataclasses

import pytest
from playwright.sync_api import Browser, expect

from recollect.serve.engine import Engine
from recollect.serve.stores.volatile import VolatileStore

from ..material import TITLES, artifact
from .conftest import CHROMIUM
from .running import events, serving
from .test_page import Watched

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set CHROMIUM to its path"),
]


def test_where_two_items_have_one_title_their_ids_stand_beside_it(browser: Browser) -> None:
    shared = TITLES.copy()
    shared[2:] = [f"Title {code // 2 * 2}" for code in range(2, len(TITLES))]  # two items each have one, but the first
    trained = dataclasses.replace(artifact("itemknn"), titles=shared)
    with serving(Engine(trained, VolatileStore())) as client:
        client.post("/events", {"events": events(3)})
        one = Watched(browser, client.port)
        page = one.show("ann")
        listed = client.get("/recommendations?user=ann")["items"]
        times = [sum(other["title"] == row["title"] for other in listed) for row in listed]
        expected = [
            f"{row['title']} ({row['item']})" if count > 1 else row["title"]
            for row, count in zip(listed, times, strict=True)
        ]
        assert 2 in times and one.titles() == expected and len(set(expected)) == len(expected)
        stored = [row["title"] for row in client.get("/users/ann")["history"]]
        shown = page.locator("#history .title").all_inner_texts()
        assert len(set(shown)) == len(stored) and all(
            name == title or name.startswith(f"{title} (item-") for name, title in zip(shown, stored[::-1], strict=True)
        )
        page.locator("#search").fill("Title 4")
        found = page.locator("#found [role=option] span")
        expect(found.first).to_be_visible()
        labels = found.all_inner_texts()
        assert {"Title 4 (item-04)", "Title 4 (item-05)"} <= set(labels)
        page.locator("#found [role=option]", has_text="Title 4 (item-05)").click()
        expect(page.locator("#then .title")).to_have_text(["Title 4 (item-05)"])
        assert not one.wrong
