"""The store that an address names: a folder, or a Redis or Valkey server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from recollect.serve.stores.contract import Store
from recollect.serve.stores.embedded import EmbeddedStore
from recollect.serve.stores.redis import RedisStore


def is_url(place: str) -> bool:
    """True for the address of a server, False for a folder."""
    return "://" in place


@contextlib.contextmanager
def opened(place: str) -> Iterator[Store]:
    """The store at `place`, closed afterwards. Raises StoreError where it cannot be opened."""
    store: Store = RedisStore(place) if is_url(place) else EmbeddedStore(Path(place))
    try:
        yield store
    finally:
        store.close()
