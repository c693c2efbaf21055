"""The page in a real browser: items are tried out without a trace or recorded, by mouse and keyboard, also on a phone.

Needs Chromium (`apt-get install chromium`, or a path in CHROMIUM); without one these tests are skipped and say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from recollect.serve.engine import Engine
from recollect.serve.stores.volatile import VolatileStore

from ..material import artifact
from .conftest import CHROMIUM
from .running import Client, events, serving

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set CHROMIUM to its path"),
]


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    with serving(engine) as one:
        one.post("/events", {"events": [*events(12), *events(3, "<b>bob</b>")]})
        yield one


class Watched:
    """A page, with what it asked and what went wrong in it."""

    def __init__(self, browser: Browser, port: int, **options: object) -> None:
        self.page: Page = browser.new_page(**options)  # type: ignore[arg-type]
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.wrong.append(said.text))
        self.home = f"http://127.0.0.1:{port}/"
        self.page.goto(self.home)

    def titles(self) -> list[str]:
        return self.page.locator("#list .title").all_inner_texts()

    def show(self, user: str) -> Page:
        self.page.locator("#some button", has_text=user).click()
        expect(self.page.locator("#next-title")).to_have_text(f"Next for {user}")
        return self.page

    def record(self) -> Page:
        self.page.get_by_role("radio", name="Record").check()
        expect(self.page.locator("#mode-note")).to_contain_text("stores an event, for good")
        return self.page


def test_an_item_is_tried_out_and_nothing_is_kept(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    answer = client.get("/recommendations?user=ann")
    assert one.titles() == titles(answer)
    expect(page.locator("#events")).to_have_text("12")
    expect(page.locator("#history li")).to_have_count(12)
    expect(page.locator("#took")).to_have_text(re.compile(r"^[\d,]+ ms$"))
    memory = client.get("/users/ann")["memory_bytes"]
    expect(page.locator("#bytes")).to_have_text(f"{memory / 1000:.1f} kB")
    expect(page.locator("#weight")).to_contain_text(f"{100 * answer['long_term_weight']:.0f} % of the list")
    assert page.locator("#gauge").get_attribute("aria-valuenow") == f"{answer['long_term_weight']:.2f}"

    chosen = answer["items"][3]
    page.locator("#list button").nth(3).click()
    expect(page.locator("#events")).to_have_text("13")
    expect(page.locator("#then .title")).to_have_text([chosen["title"]])
    after = client.post("/recommendations", {"user": "ann", "then": [chosen["item"]]})
    assert one.titles() == titles(after) and chosen["title"] not in one.titles()
    was = {row["item"]: row["rank"] for row in answer["items"]}
    for row, mark in zip(after["items"], page.locator("#list .move").all_inner_texts(), strict=True):
        rise = was.get(row["item"], 0) - row["rank"]
        assert mark == ("new" if row["item"] not in was else "" if rise == 0 else f"{'▲▼'[rise < 0]} {abs(rise)}")
    expect(page.locator("#gone")).to_contain_text(chosen["title"])
    expect(page.locator("#history li")).to_have_count(12)
    assert client.get("/users/ann")["events"] == 12

    page.locator("#then button").click()  # and back again
    expect(page.locator("#tried")).to_be_hidden()
    assert one.titles() == titles(answer)
    assert one.wrong == [] and all(url.startswith((one.home, "data:")) for url in one.asked)
    assert not any(url.endswith("/events") for url in one.asked)


def test_recording_has_to_be_chosen_and_stores_events(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    page.locator("#list button").first.click()
    expect(page.locator("#then li")).to_have_count(1)
    one.record()
    expect(page.locator("#tried")).to_be_hidden()  # what was tried out is no event of the user
    expect(page.locator("#events")).to_have_text("12")
    title = one.titles()[3]
    page.locator("#list button").nth(3).click()
    expect(page.locator("#events")).to_have_text("13")
    assert client.get("/users/ann")["history"][-1]["title"] == title
    expect(page.locator("#history .title").first).to_have_text(title)
    assert one.titles() == titles(client.get("/recommendations?user=ann"))
    page.locator("#nobody").click()
    expect(page.locator("#next-title")).to_have_text("Next for a newcomer")
    page.locator("#list button").first.click()
    expect(page.locator("#problem")).to_contain_text("Choose the user first")
    page.reload()
    expect(page.locator("#mode-note")).to_have_text("Nothing is kept.")
    assert one.wrong == [] and [url for url in one.asked if url.endswith("/events")] == [f"{one.home}events"]


def test_every_bar_is_true_to_its_probability(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    answer = client.get("/recommendations?user=ann")
    shares = [row["probability"] for row in answer["items"]]
    for share, bar in zip(shares, page.locator("#list .bar").all(), strict=True):
        whole, filled = width(bar), width(bar.locator("span"))
        assert filled == pytest.approx(max(1, share * whole), abs=0.1)
    parts = page.locator("#share-bar span").all()
    for share, part in zip(shares, parts, strict=True):
        assert width(part) == pytest.approx(share * width(page.locator("#share-bar")), abs=0.1)
    for share, text in zip(shares, page.locator("#list .probability").all_inner_texts(), strict=True):
        assert float(text.removesuffix(" %")) == pytest.approx(100 * share, rel=0.05)
    expect(page.locator("#share-note")).to_contain_text("a full bar is 100 %")
    (together,) = re.findall(r"Together ([\d.]+) %", page.locator("#share-note").inner_text())
    assert float(together) == pytest.approx(100 * sum(shares), rel=0.05)


def test_items_are_found_by_title_and_lists_need_no_user(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    expect(page.locator("#next-title")).to_have_text("Next for a newcomer")
    assert one.titles() == titles(client.post("/recommendations", {"history": []}))
    page.locator("#search").click()
    page.keyboard.type("TITLE 3")
    expect(page.locator("#found li").first).to_contain_text("Title 3")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found li").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#next-title")).to_have_text("Next after 1 item")
    page.keyboard.type("title 21")
    page.locator("#found li", has_text="Title 21").click()
    expect(page.locator("#next-title")).to_have_text("Next after 2 items")
    items = ["item-03", "item-21"]
    assert one.titles() == titles(client.post("/recommendations", {"history": items}))
    expect(page.locator("#then .title")).to_have_text(["Title 21", "Title 3"])
    # The address leads back to it.
    page.reload()
    expect(page.locator("#then .title")).to_have_text(["Title 21", "Title 3"])
    page.locator("#user").fill("ann")
    page.locator("#find button.main").click()
    expect(page.locator("#next-title")).to_have_text("Next for ann")
    assert one.titles() == titles(client.post("/recommendations", {"user": "ann", "then": items}))
    page.locator("#restart").click()
    expect(page.locator("#tried")).to_be_hidden()
    page.locator("#search").fill("no such title")
    page.wait_for_timeout(400)
    expect(page.locator("#found")).to_be_hidden()
    assert one.wrong == []


def test_everything_can_be_done_with_the_keyboard(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    expect(page.locator("#some button")).to_have_count(2)
    for _ in range(2):  # the link to the interface, the field
        page.keyboard.press("Tab")
    page.keyboard.type("newcomer")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_contain_text("Nothing is known of this user")
    expect(page.locator("#alpha")).to_be_hidden()
    for _ in range(4):  # two buttons, the items, the mode
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#mode-note")).to_contain_text("for good")
    for _ in range(2):  # the switch, the first item
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#events")).to_have_text("1")
    expect(page.locator("#said")).to_contain_text("First in the list now")
    assert page.evaluate("document.activeElement.closest('#list') !== null")
    page.keyboard.press("Enter")
    expect(page.locator("#events")).to_have_text("2")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")  # also what is in the history
    expect(page.locator("#list li")).to_have_count(10)
    assert client.get("/users/newcomer")["events"] == 2 and one.wrong == []


def test_users_are_suggested(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    page.locator("#user").click()
    expect(page.locator("#users li")).to_have_text(["<b>bob</b>", "ann"])
    page.keyboard.type("a")
    expect(page.locator("#users li")).to_have_text(["ann"])
    page.keyboard.press("Escape")
    expect(page.locator("#users")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#users li")).to_have_text(["ann"])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#next-title")).to_have_text("Next for ann")
    assert one.wrong == []


def test_ids_and_titles_are_text_and_never_markup(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("<b>bob</b>")
    assert page.locator("#next-title b").count() == 0
    for address in ("#user=%3Cb%3Ebob%3C%2Fb%3E", "#%3Cb%3Ebob%3C%2Fb%3E"):  # the second: a link of an older version
        page.goto("about:blank")
        page.goto(one.home + address)
        expect(page.locator("#next-title")).to_have_text("Next for <b>bob</b>")
    assert one.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(browser: Browser, client: Client, scheme: str) -> None:
    one = Watched(browser, client.port, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = one.show("ann")
    page.locator("#list button").first.click()
    expect(page.locator("#then li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator("#list button, #then button").all():
        assert button.bounding_box()["height"] >= 40  # type: ignore[index]
    for row in page.locator("#list button").all():  # the width is for titles and bars
        box, title = row.bounding_box(), row.locator("span").nth(1).bounding_box()
        assert box is not None and title is not None
        assert box["width"] > 310 and title["width"] > 0.6 * box["width"] and width(row.locator(".bar")) > 0.55 * 360
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (_light(ground) > _light(ink)) == (scheme == "light") and abs(_light(ground) - _light(ink)) > 150
    page.goto(one.home + "docs")
    expect(page.locator("h1")).to_contain_text("HTTP interface")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert one.wrong == [] and all(url.startswith((one.home, "data:")) for url in one.asked)


def test_a_key_is_asked_for_where_the_server_has_one(browser: Browser, engine: Engine) -> None:
    with serving(engine, read_keys=["reading"], write_keys=["writing"]) as nobody:
        Client(nobody.port, "writing").post("/events", {"events": events(12)})
        one = Watched(browser, nobody.port)
        page = one.page
        expect(page.locator("#problem")).to_contain_text("needs a key")
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.type("reading")
        page.keyboard.press("Enter")
        one.show("ann")
        expect(page.locator("#problem")).to_be_hidden()
        one.record()
        page.locator("#list button").first.click()  # recording needs the other key
        expect(page.locator("#problem")).to_contain_text("this key is wrong, or one for reading")
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.type("writing")
        page.keyboard.press("Enter")  # and what was refused is done
        expect(page.locator("#events")).to_have_text("13")
        expect(page.locator("#unlock")).to_be_hidden()


def test_a_key_with_impossible_signs_does_not_lock_the_page(browser: Browser, engine: Engine) -> None:
    with serving(engine, read_keys=["reading"], write_keys=["writing"]) as nobody:
        Client(nobody.port, "writing").post("/events", {"events": events(12)})
        page = Watched(browser, nobody.port).page
        for key, then in (("rea\N{EN DASH}ding", "characters that no key has"), ("wrong", "this key is wrong")):
            expect(page.locator("#key")).to_be_focused()
            page.keyboard.type(key)
            page.keyboard.press("Enter")
            expect(page.locator("#problem")).to_contain_text(then)
        page.keyboard.type("reading")
        page.keyboard.press("Enter")
        expect(page.locator("#some button")).to_have_count(1)
        expect(page.locator("#user")).to_be_focused()


def test_an_item_is_recorded_for_whose_list_is_shown(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    one.record()
    page.route("**/recommendations", lambda route: route.fulfill(status=503, json={"error": "not now"}))
    page.locator("#user").fill("<b>bob</b>")
    page.locator("#find button.main").click()
    expect(page.locator("#problem")).to_have_text("not now")
    expect(page.locator("#next-title")).to_have_text("Next for ann")
    page.unroute("**/recommendations")
    page.locator("#list button").first.click()
    expect(page.locator("#events")).to_have_text("13")
    assert client.get("/users/ann")["events"] == 13 and client.get("/users/%3Cb%3Ebob%3C%2Fb%3E")["events"] == 3


def test_a_double_click_and_a_key_that_is_held_add_one_event(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.show("ann")
    one.record()
    page.locator("#list button").first.dblclick(delay=80)
    expect(page.locator("#events")).to_have_text("13")
    page.locator("#list button").first.focus()
    for _ in range(10):  # pressed again without being let go is what holding it does
        page.keyboard.down("Enter")
        page.wait_for_timeout(30)
    page.keyboard.up("Enter")
    expect(page.locator("#events")).to_have_text("14")
    page.wait_for_timeout(300)
    assert client.get("/users/ann")["events"] == 14
    assert one.wrong == []


def test_strange_names_and_links_are_borne(browser: Browser, client: Client) -> None:
    long = "a-name-without-end-" * 10
    client.post("/events", {"user": long, "item": "item-01"})
    one = Watched(browser, client.port, viewport={"width": 360, "height": 740})
    page = one.page
    expect(page.locator("#some button")).to_have_count(3)
    page.locator("#user").fill(f" {long} ")
    page.locator("#find button.main").click()
    expect(page.locator("#next-title")).to_have_text(f"Next for {long}")
    expect(page.locator("#events")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#user").fill("..")
    page.locator("#find button.main").click()
    expect(page.locator("#problem")).to_contain_text("cannot show a user of this name")
    for address in ("#%", "#then=never heard of&then=item-02&x=1"):
        page.goto("about:blank")
        page.goto(one.home + address)
        expect(page.locator("#some button")).to_have_count(3)
    expect(page.locator("#then .title")).to_have_text(["Title 2", "never heard of"])
    assert one.wrong == []


def test_a_model_without_probabilities_has_no_bars_and_lists_what_its_run_lists(browser: Browser) -> None:
    store = VolatileStore()
    with serving(Engine(artifact("markov", seen="allowed"), store)) as client:
        client.post("/events", {"events": events(12)})
        one = Watched(browser, client.port)
        page = one.show("ann")
        expect(page.locator("#seen")).to_be_checked()
        expect(page.locator("#list .probability")).to_have_count(10)
        expect(page.locator("#list .bar")).to_have_count(0)
        expect(page.locator("#share")).to_be_hidden()
        assert one.titles() == titles(client.get("/recommendations?user=ann"))
        page.locator("#seen").uncheck()
        hidden = titles(client.get("/recommendations?user=ann&seen=hidden"))
        expect(page.locator("#list .title")).to_have_text(hidden)
        page.reload()
        expect(page.locator("#seen")).not_to_be_checked()
        expect(page.locator("#list .title")).to_have_text(hidden)


def test_a_server_that_has_gone_is_said(browser: Browser, engine: Engine) -> None:
    with serving(engine) as client:
        client.post("/events", {"events": events(12)})
        one = Watched(browser, client.port)
        one.show("ann")
    one.page.locator("#list button").first.click()
    expect(one.page.locator("#problem")).to_have_text("The server does not respond.")
    expect(one.page.locator("#events")).to_have_text("12")


def titles(answer: dict[str, Any]) -> list[str]:
    return [row["title"] for row in answer["items"]]


def width(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["width"]


def _light(colour: str) -> float:
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3
