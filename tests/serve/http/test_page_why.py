"""The page says why: a click on an item shows which events speak for it, as `/explanations` has it. Needs Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import CHROMIUM
from .running import Client
from .test_page import Watched, titles, width

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set CHROMIUM to its path"),
]


def why(page: Page) -> None:
    page.get_by_role("radio", name="Why?").check()
    expect(page.locator("#mode-note")).to_have_text("Shows which events speak for an item.")


def shows(page: Page, explanation: dict[str, Any]) -> None:
    """The bars of the page are those of this explanation: newest first, true to scale, each with its words."""
    expect(page.locator("#why-title")).to_have_text(f"Why {explanation['title']}?")
    effects = explanation["effects"][::-1]
    assert page.locator("#effects .title").all_inner_texts() == [one["title"] for one in effects]
    most = max(abs(one["logit"]) for one in effects)
    for row, one in zip(page.locator("#effects li").all(), effects, strict=True):
        bar, filled = row.locator(".effect").bounding_box(), row.locator(".effect span").bounding_box()
        assert bar is not None and filled is not None
        assert filled["width"] == pytest.approx(max(1, 0.5 * bar["width"] * abs(one["logit"]) / most), abs=0.2)
        middle, speaks = bar["x"] + bar["width"] / 2, one["logit"] > 0
        assert (filled["x"] if speaks else filled["x"] + filled["width"]) == pytest.approx(middle, abs=0.2)
        figure = row.locator(".figure").inner_text()
        assert ("speaks for" if speaks else "speaks against") in figure
        assert float(figure.split(",")[0].replace("−", "-")) == pytest.approx(one["logit"], abs=0.006)
    assert len({one["logit"] > 0 for one in effects}) == 2, "else one way is not tried"


def test_a_click_shows_which_events_speak_for_an_item(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    page.locator("#list > li > button").nth(3).click()
    expect(page.locator("#then li")).to_have_count(1)
    tried = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('then')")
    listed = client.post("/recommendations", {"user": "ann", "then": [tried]})
    why(page)
    button = page.locator("#list > li > button").nth(2)
    button.click()
    expect(page.locator("#why")).to_be_visible()
    body = {"user": "ann", "then": [tried], "items": [listed["items"][2]["item"]]}
    (explanation,) = client.post("/explanations", body)["items"]
    shows(page, explanation)
    expect(page.locator("#why-note")).to_contain_text(
        f"Its logit is {explanation['logit']:.2f}. By how much the last 10"
    )
    expect(button).to_have_attribute("aria-expanded", "true")
    assert page.evaluate("document.getElementById('why').closest('li').dataset.item") == explanation["item"]
    expect(page.locator("#events")).to_have_text("13")  # nothing was added
    button.click()  # once more: it is closed
    expect(page.locator("#why")).to_be_hidden()
    expect(button).not_to_have_attribute("aria-expanded", "true")
    button.click()
    page.locator("#why-close").click()
    expect(page.locator("#why")).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    expect(page.locator("#why")).to_be_visible()
    page.get_by_role("radio", name="Try out").check()  # the other modes have none
    expect(page.locator("#why")).to_be_hidden()
    assert client.get("/users/ann")["events"] == 12 and one.wrong == []
    assert not any(url.endswith("/events") for url in one.asked)


def test_a_history_that_is_tried_out_and_an_item_beyond_the_list(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    history = ["item-03", "item-21", "item-08"]
    page.goto(one.home + "#" + "&".join(f"then={item}" for item in history))
    expect(page.locator("#next-title")).to_have_text("Next after 3 items")
    why(page)
    page.locator("#search").click()
    page.keyboard.type("Title 3")
    expect(page.locator("#found li").first).to_contain_text("Title 3")
    page.locator("#found li").first.click()  # an item of the history, so not of the list
    expect(page.locator("#why")).to_be_visible()
    (explanation,) = client.post("/explanations", {"history": history, "items": ["item-03"]})["items"]
    shows(page, explanation)
    assert one.titles() == titles(client.post("/recommendations", {"history": history}))
    page.locator("#then button").first.click()  # another list: what was said of the older one goes
    expect(page.locator("#next-title")).to_have_text("Next after 2 items")
    expect(page.locator("#why")).to_be_hidden()
    page.locator("#restart").click()
    expect(page.locator("#next-title")).to_have_text("Next for a newcomer")
    page.locator("#list > li > button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why-note")).to_contain_text("There are no events that could speak for it")
    expect(page.locator("#effects li")).to_have_count(0)
    expect(page.locator("#why-ends")).to_be_hidden()
    assert one.wrong == []


def test_reasons_fit_a_phone(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port, viewport={"width": 360, "height": 740})
    page = one.show("ann")
    why(page)
    page.locator("#list > li > button").first.click()
    expect(page.locator("#effects li")).to_have_count(10)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert width(page.locator("#effects .effect").first) > 0.75 * 360
    box = page.locator("#why-close").bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 40
    assert one.wrong == []
