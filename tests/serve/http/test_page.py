"""The page in a real browser: it shows a user, moves when an item is added, works by keyboard, and asks nobody else.

Needs Chromium (`apt-get install chromium`, or a path in CHROMIUM); without one these tests are skipped and say so.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from recollect.serve.engine import Engine
from recollect.serve.stores.volatile import VolatileStore

from ..material import artifact
from .running import Client, serving
from .test_app import events

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set CHROMIUM to its path"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        one = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


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


def test_a_user_is_shown_and_an_added_item_moves_the_list(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    page.locator("#some button", has_text="ann").click()
    expect(page.locator("#list li")).to_have_count(10)
    answer = client.get("/recommendations?user=ann")
    assert one.titles() == [row["title"] for row in answer["items"]]
    shares = [f"{100 * row['probability']:.2f} %" for row in answer["items"]]
    assert page.locator("#list .share").all_inner_texts() == shares
    bars = [bar.bounding_box()["width"] for bar in page.locator("#list .bar span").all()]  # type: ignore[index]
    assert bars == sorted(bars, reverse=True) and bars[0] > bars[-1] > 0
    expect(page.locator("#events")).to_have_text("12")
    expect(page.locator("#bytes")).to_contain_text(f"{client.get('/users/ann')['memory_bytes']:,} bytes")
    expect(page.locator("#took")).to_have_text(re.compile(r"^[\d,.]+ ms$"))
    expect(page.locator("#weight")).to_have_text(f"{100 * answer['long_weight']:.0f} % from long-term memory")
    assert page.locator("#gauge").get_attribute("aria-valuenow") == f"{answer['long_weight']:.2f}"
    expect(page.locator("#past li")).to_have_count(12)

    chosen = answer["items"][3]
    page.locator("#list button").nth(3).click()
    expect(page.locator("#events")).to_have_text("13")
    after = client.get("/recommendations?user=ann")
    assert one.titles() == [row["title"] for row in after["items"]] and chosen["title"] not in one.titles()
    was = {row["item"]: row["rank"] for row in answer["items"]}
    for row, mark in zip(after["items"], page.locator("#list .move").all_inner_texts(), strict=True):
        rise = was.get(row["item"], 0) - row["rank"]
        assert mark == ("new" if row["item"] not in was else "" if rise == 0 else f"{'▲▼'[rise < 0]} {abs(rise)}")
    expect(page.locator("#gone")).to_contain_text(chosen["title"])
    assert page.locator("#past .title").first.inner_text() == chosen["title"]
    assert one.wrong == [] and all(url.startswith((one.home, "data:")) for url in one.asked)


def test_everything_can_be_done_with_the_keyboard(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    expect(page.locator("#some button")).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.type("newcomer")
    page.keyboard.press("Enter")
    expect(page.locator("#source")).to_contain_text("No events yet")
    expect(page.locator("#alpha")).to_be_hidden()
    for _ in range(3):  # the button, the switch, the first item
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#events")).to_have_text("1")
    expect(page.locator("#said")).to_contain_text("First in the list now")
    assert page.evaluate("document.activeElement.closest('#list') !== null")
    page.keyboard.press("Enter")
    expect(page.locator("#events")).to_have_text("2")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")  # also what they had
    expect(page.locator("#list li")).to_have_count(10)
    assert one.wrong == []


def test_ids_and_titles_are_text_and_never_markup(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    one.page.locator("#some button", has_text="bob").click()
    expect(one.page.locator("#who")).to_have_text("<b>bob</b>")
    assert one.page.locator("#who b").count() == 0
    assert one.page.url.endswith("#%3Cb%3Ebob%3C%2Fb%3E")
    one.page.reload()
    expect(one.page.locator("#who")).to_have_text("<b>bob</b>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(browser: Browser, client: Client, scheme: str) -> None:
    one = Watched(browser, client.port, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    one.page.locator("#some button", has_text="ann").click()
    expect(one.page.locator("#list li")).to_have_count(10)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in one.page.locator("#list button").all():
        assert button.bounding_box()["height"] >= 40  # type: ignore[index]
    ground, ink = one.page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (_light(ground) > _light(ink)) == (scheme == "light") and abs(_light(ground) - _light(ink)) > 150


def test_a_key_is_asked_for_where_the_server_has_one(browser: Browser, engine: Engine) -> None:
    with serving(engine, read_keys=["reading"], write_keys=["writing"]) as nobody:
        Client(nobody.port, "writing").post("/events", {"events": events(12)})
        one = Watched(browser, nobody.port)
        page = one.page
        expect(page.locator("#problem")).to_contain_text("needs a key")
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.type("reading")
        page.keyboard.press("Enter")
        page.locator("#some button", has_text="ann").click()
        expect(page.locator("#list li")).to_have_count(10)
        expect(page.locator("#problem")).to_be_hidden()
        page.locator("#list button").first.click()  # adding needs the other key
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
        for key, then in (("rea\N{EN DASH}ding", "signs that no key has"), ("wrong", "this key is wrong")):
            expect(page.locator("#key")).to_be_focused()
            page.keyboard.type(key)
            page.keyboard.press("Enter")
            expect(page.locator("#problem")).to_contain_text(then)
        page.keyboard.type("reading")
        page.keyboard.press("Enter")
        expect(page.locator("#some button")).to_have_count(1)
        expect(page.locator("#user")).to_be_focused()


def test_an_item_is_added_to_the_history_of_whose_list_is_shown(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    page.locator("#some button", has_text="ann").click()
    expect(page.locator("#who")).to_have_text("ann")
    page.route("**/recommendations", lambda route: route.fulfill(status=503, json={"error": "not now"}))
    page.locator("#user").fill("<b>bob</b>")
    page.locator("#find button").click()
    expect(page.locator("#problem")).to_have_text("not now")
    expect(page.locator("#who")).to_have_text("ann")
    page.unroute("**/recommendations")
    page.locator("#list button").first.click()
    expect(page.locator("#events")).to_have_text("13")
    assert client.get("/users/ann")["events"] == 13 and client.get("/users/%3Cb%3Ebob%3C%2Fb%3E")["events"] == 3


def test_a_double_click_and_a_key_that_is_held_add_one_event(browser: Browser, client: Client) -> None:
    one = Watched(browser, client.port)
    page = one.page
    page.locator("#some button", has_text="ann").click()
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
    page.locator("#past button").last.click()  # far below the list, on a phone
    expect(page.locator("#events")).to_have_text("15")
    expect(page.locator("#list button").first).to_be_in_viewport()
    assert one.wrong == []


def test_strange_names_and_links_are_borne(browser: Browser, client: Client) -> None:
    long = "a-name-without-end-" * 10
    client.post("/events", {"user": long, "item": "item-01"})
    one = Watched(browser, client.port, viewport={"width": 360, "height": 740})
    page = one.page
    page.locator("#user").fill(f" {long} ")
    page.locator("#find button").click()
    expect(page.locator("#who")).to_have_text(long)
    expect(page.locator("#events")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#user").fill("..")
    page.locator("#find button").click()
    expect(page.locator("#problem")).to_contain_text("cannot show a user of this name")
    page.goto("about:blank")
    page.goto(one.home + "#%")
    expect(page.locator("#some button")).to_have_count(3)
    assert one.wrong == []


def test_a_model_without_probabilities_has_no_bars(browser: Browser) -> None:
    store = VolatileStore()
    with serving(Engine(artifact("markov"), store)) as client:
        client.post("/events", {"events": events(12)})
        page = Watched(browser, client.port).page
        page.locator("#some button", has_text="ann").click()
        expect(page.locator("#list .logit")).to_have_count(10)
        expect(page.locator("#list .bar")).to_have_count(0)


def test_a_server_that_has_gone_is_said(browser: Browser, engine: Engine) -> None:
    with serving(engine) as client:
        client.post("/events", {"events": events(12)})
        one = Watched(browser, client.port)
        one.page.locator("#some button", has_text="ann").click()
        expect(one.page.locator("#list li")).to_have_count(10)
    one.page.locator("#list button").first.click()
    expect(one.page.locator("#problem")).to_have_text("The server does not answer.")
    expect(one.page.locator("#events")).to_have_text("12")


def _light(colour: str) -> float:
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3
