"""What the tests of the interface share: an engine over a store in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recollect.serve.engine import Engine
from recollect.serve.stores.embedded import EmbeddedStore

from ..material import artifact


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with EmbeddedStore(tmp_path / "store") as store:
        yield Engine(artifact("xlstm-lsr"), store)
