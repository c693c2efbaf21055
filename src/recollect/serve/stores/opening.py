"""From the `--store` of the command line to a store: a folder, or the address of a Redis or Valkey server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from recollect.serve.stores.contract import Store
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.redis import RedisStore


def is_url(location: str) -> bool:
    """True for the address of a server, False for a folder."""
    return "://" in location


@contextlib.contextmanager
def open_store(location: str) -> Iterator[Store]:
    """The store at a folder or address, closed afterwards. Raises StoreError where it cannot be opened."""
    store: Store = RedisStore(location) if is_url(location) else EmbeddedStore(Path(location))
    try:
        yield store
    finally:
        store.close()
