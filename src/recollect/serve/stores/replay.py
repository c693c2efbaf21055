"""Import a whole log into a store, and export the events of a store as a log.

The events of a log have no ids. An event counts as already imported if the store has one with the same user, item and
time; several equal ones count as often as the store has them. So a log that was imported before, partly or wholly, or
that was exported from the store, adds only what is new. New events get ids made from what they are, so that an
interrupted import can be repeated.
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
from recollect.serve.stores.contract import IncomingEvent, Store
from recollect.serve.stores.segments import valid_events

CHUNK = 4096
"""Events taken in with one sync to disk."""


def replay(store: Store, log: EventLog) -> Iterator[int]:
    """Take in every event of a log that the store lacks, user by user -> after each chunk, how many were compared.

    Raises DataError where a store cannot keep an id.
    """
    compared, events = 0, _missing_events(log, store)
    while chunk := list(islice(events, CHUNK)):
        try:
            store.append([one for one in chunk if one is not None], 0)
        except ValueError as error:
            raise DataError(f"{log.name}: {error}; nothing of the last {len(chunk):,} events was taken in") from None
        compared += len(chunk)
        yield compared


def export_journal(journal: Path, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The valid events of a journal (not those of forgotten users), oldest first, as blocks of columns: number, user,
    item, id, time.

    Needs no server, but one may be running. What is written of them reads as a log again.
    """
    found = ((number, event.user, event.item, event.id, event.time) for number, event in valid_events(journal))
    return _blocks(("number", "user", "item", "id", "time"), found, rows)


def export_store(store: Store, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The events of any store, user by user, as blocks of columns: user, item, time. Users who come while this runs
    may be missing."""
    found = ((user, *event) for user in store.users() for event in store.history(user).events)
    return _blocks(("user", "item", "time"), found, rows)


def _missing_events(log: EventLog, store: Store) -> Iterator[IncomingEvent | None]:
    """Each event of a log, None in the place of those that the store has already."""
    users, items = log.user_ids.ids, log.item_ids.ids
    first = log.item_ids.first
    for code, (begin, end) in enumerate(zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True)):
        user, in_log = str(users[code]), Counter[tuple[str, int]]()
        in_store = Counter(store.history(user).events)
        for item_code, time in zip(log.items[begin:end].tolist(), log.times[begin:end].tolist(), strict=True):
            item = str(items[item_code - first])
            in_log[item, time] += 1
            count = in_log[item, time]
            if count <= in_store[item, time]:
                yield None
                continue
            event_id = blake2b(f"{time} {count} {item}".encode(), digest_size=12).hexdigest()
            yield IncomingEvent(user, item, time, event_id)


def _blocks(names: Sequence[str], rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[dict[str, np.ndarray]]:
    """The rows as columns, `size` rows a block. Without any rows one empty block, which names the columns."""
    block = list(islice(rows, size))
    while True:
        columns = zip(*block, strict=True) if block else ([] for _ in names)
        kinds = (np.int64 if name in ("number", "time") else object for name in names)
        yield {n: np.array(list(c), dtype=kind) for n, c, kind in zip(names, columns, kinds, strict=True)}
        block = list(islice(rows, size))
        if not block:
            return
