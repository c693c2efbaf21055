"""What the tests of the interface share: an engine over a store in a folder, a server of it, and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recollect.serve.engine import Engine
from recollect.serve.stores.embedded import EmbeddedStore

from ..material import artifact
from .running import Client, events, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
"""The browser, if there is one."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with EmbeddedStore(tmp_path / "store") as store:
        yield Engine(artifact("xlstm-lsr"), store)


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    """A server that has twelve events of ann."""
    with serving(engine) as one:
        one.post("/events", {"events": events(12)})
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        one = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()
