"""What all tests share: the `long` marker, and real data where the tester has them.

Long tests are skipped unless asked for; nothing is left out silently, each skip says what would run it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine stalls now and then: a slow example is no failure, and a failing one can be replayed. Where CI is set
# the examples are always the same, so that a change is judged by what it changed; everyone else draws new ones.
settings.register_profile("recollect", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
settings.load_profile("recollect")

# A shell starts what it sends to the background with Ctrl-C ignored: the tests that press it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long too")


def pytest_report_header() -> str | None:
    named = os.environ.get("RECOLLECT_TEST_DEVICE")
    return f"networks are tried on {named} (RECOLLECT_TEST_DEVICE)" if named else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="a long test: run it with --long, or make test-all"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets named by RECOLLECT_DATA (one folder a set: ml-1m, ml-100k ...)."""
    named = os.environ.get("RECOLLECT_DATA")
    if not named:
        pytest.skip("needs real data: set RECOLLECT_DATA to a folder with ml-1m/, ml-100k/ ...")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"RECOLLECT_DATA={named} is no folder")
    return folder
