"""A whole log into a store, and out of it again.

An event of a log has no id. It is taken for one that the store has already where user, item and time are the same, as
many times as the store has it; so a log that was replayed before, in part or wholly, or exported from the store, adds
only what is new. The others get an id by what they are, so that an interrupted replay can be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from recollect.data.log import DataError, EventLog
from recollect.serve.stores.contract import Arrival, Store
from recollect.serve.stores.journal import valid

CHUNK = 4096
"""Events taken in with one sync."""


def replay(store: Store, log: EventLog) -> Iterator[int]:
    """Take in every event of a log that is not there yet, user by user -> after each chunk, how many are looked at.

    Raises DataError where an id is one that no store takes.
    """
    looked, arrivals = 0, _arrivals(log, store)
    while chunk := list(islice(arrivals, CHUNK)):
        try:
            store.append([one for one in chunk if one is not None], 0)
        except ValueError as error:
            raise DataError(f"{log.name}: {error}; nothing of the last {len(chunk):,} events was taken in") from None
        looked += len(chunk)
        yield looked


def export_journal(journal: Path, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The events of a journal that are not void, oldest first, as columns: number, user, item, time, id.

    Needs no server, and one may be at work. What is written of it (`data.parquet.write_blocks`) reads as a log again.
    """
    found = ((number, event.user, event.item, event.id, event.time) for number, event in valid(journal))
    return _blocks(("number", "user", "item", "id", "time"), found, rows)


def export_store(store: Store, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The events of any store, user by user, as columns: user, item, time. Users who come meanwhile may be missing."""
    found = ((user, *event) for user in store.users() for event in store.past(user).events)
    return _blocks(("user", "item", "time"), found, rows)


def _arrivals(log: EventLog, store: Store) -> Iterator[Arrival | None]:
    """Each event of a log, None where the store has it already."""
    users, items = log.user_ids.ids, log.item_ids.ids
    first = log.item_ids.first
    for code, (begin, end) in enumerate(zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True)):
        user, before = str(users[code]), Counter[tuple[str, int]]()
        there = Counter(store.past(user).events)
        for item_code, time in zip(log.items[begin:end].tolist(), log.times[begin:end].tolist(), strict=True):
            item = str(items[item_code - first])
            before[item, time] += 1
            count = before[item, time]
            if count <= there[item, time]:
                yield None
                continue
            own = blake2b(f"{time} {count} {item}".encode(), digest_size=12).hexdigest()
            yield Arrival(user, item, time, own)


def _blocks(names: Sequence[str], rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[dict[str, np.ndarray]]:
    """The rows as columns, `size` of them at a time; one block without any where there are none, for its names."""
    block = list(islice(rows, size))
    while True:
        columns = zip(*block, strict=True) if block else ([] for _ in names)
        kinds = (np.int64 if name in ("number", "time") else object for name in names)
        yield {n: np.array(list(c), dtype=kind) for n, c, kind in zip(names, columns, kinds, strict=True)}
        block = list(islice(rows, size))
        if not block:
            return
