"""`/docs`: all of the OpenAPI document, in HTML that needs nothing from elsewhere; its examples work as they stand."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

import numpy as np
import pytest

from recollect.data.log import Vocabulary
from recollect.serve.engine import Engine
from recollect.serve.http.docs import render
from recollect.serve.http.guard import BODY_BYTES
from recollect.serve.stores.volatile import VolatileStore

from ..material import ITEMS, artifact
from .running import Client, serving

IDS = np.array(["1210", "661", *ITEMS.ids[2:]], dtype=object)
"""The items of the examples are among them."""


@pytest.fixture
def client() -> Iterator[Client]:
    model = dataclasses.replace(artifact("xlstm-lsr"), items=Vocabulary(IDS, first=1))
    with serving(Engine(model, VolatileStore())) as one:
        yield one


class Read(HTMLParser):
    """The elements of a page, and that they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            assert name != "style" and not name.startswith("on"), "the content security policy forbids it"
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def examples(page: str) -> list[list[str]]:
    return [shlex.split(unescape(text).replace("\\\n", " ")) for text in re.findall(r"<pre>(.*?)</pre>", page, re.S)]


def test_it_shows_all_of_the_document_and_loads_nothing_from_elsewhere(client: Client) -> None:
    status, page, headers = client.request("GET", "/docs")
    assert status == 200 and headers["content-type"].startswith("text/html")
    read, document = Read(page), client.get("/openapi.json")
    assert "script" not in read.tags and len(set(read.ids)) == len(read.ids)
    for link in read.links:
        if link.startswith("#"):
            assert link[1:] in read.ids
        else:
            assert "//" not in link and client.request("GET", f"/{link.removeprefix('./')}")[0] == 200
    words = " ".join(" ".join(read.words).split())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in words
            assert " ".join(operation["description"].replace("`", "").split()) in words.replace(" ,", ",")
    names = [name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})]
    assert {"long_term_weight", "allow", "outcome"} <= set(names) and set(names) - {"detail", "loc", "msg"} <= {
        word.strip() for word in read.words
    }


def test_its_examples_work_as_they_stand(client: Client) -> None:
    _, page, _ = client.request("GET", "/docs")
    commands = examples(page)
    assert len(commands) >= 10
    for command in commands:
        assert command[0] == "curl"
        (url,) = [word for word in command if word.startswith("http")]
        place = urlsplit(url)
        assert place.netloc == f"127.0.0.1:{client.port}"
        data = command[command.index("-d") + 1].encode() if "-d" in command else None
        method = command[command.index("-X") + 1] if "-X" in command else "GET" if data is None else "POST"
        status, answer, _ = client.request(method, f"{place.path}?{place.query}", data)
        assert status == 200, (command, answer)


def operations(client: Client) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each request of the document with a place to send it to, and what its statuses mean."""
    for path, methods in client.get("/openapi.json")["paths"].items():
        for method, operation in methods.items():
            meanings = {status: one["description"] for status, one in operation["responses"].items()}
            yield method.upper(), path.replace("{user}", "ann"), meanings


BROKEN = {
    "cut off": b'{"user": "ann"',
    "no JSON": b"user=ann",
    "not UTF-8": b'{"user": "\xff"}',
    "nested too deeply": b"[" * 100_000,
    "another type": b"[]",
    "a key twice": b'{"user": "ann", "x": [{"y": {"k": 1, "user": 2, "k": 1}}]}',
}


def test_errors_have_the_status_that_the_document_says_on_every_route(client: Client, engine: Engine) -> None:
    seen = 0
    for method, place, meanings in operations(client):
        status, answer, _ = client.request(method, place, headers={"Host": "evil.example"})
        assert status == 400 and "host" in answer["error"] and "host name" in meanings["400"], place
        assert "JSON" not in meanings["400"]
        status, answer, _ = client.request(method, place + "?no-such-parameter=1", {} if method == "POST" else None)
        assert status == 422 and "value is not valid" in meanings["422"], place
        for what, body in BROKEN.items() if method == "POST" else ():
            status, answer, _ = client.request(method, place, body)
            assert status == 422 and answer["error"] and "no valid JSON" in meanings["422"], (place, what)
            assert what != "a key twice" or answer["error"].startswith("the key 'k' is given more than once"), place
            seen += 1
        if method == "POST":
            assert (
                client.request(method, place, b" " * (BODY_BYTES + 1))[0] == 413
                and f"{BODY_BYTES:,}" in meanings["413"]
            )
            assert client.request(method, place, b"{}", {"Content-Encoding": "gzip"})[0] == 415
            assert "compressed" in meanings["415"] and "too long" in meanings["408"]
    assert seen == 3 * len(BROKEN)
    with serving(engine, read_keys=["reads"], write_keys=["writes"]) as nobody:
        for method, place, meanings in operations(nobody):
            status = nobody.request(method, place)[0]
            assert (status == 401) == ("401" in meanings), place


def test_a_key_is_shown_where_the_server_has_keys(engine: Engine) -> None:
    with serving(engine, read_keys=["reads"], write_keys=["writes"]) as nobody:
        status, page, _ = nobody.request("GET", "/docs")
        assert status == 200 and "Authorization: Bearer KEY" in page
        assert all("Authorization: Bearer KEY" in one for one in examples(page) if "/events" in " ".join(one))


def test_the_name_of_the_server_is_text(client: Client) -> None:
    document = client.get("/openapi.json")
    page = render(document, "http://<script>alert(1)</script>")
    assert "<script" not in page and "&lt;script" in page
