"""A whole log into a store, and out of it again.

An event of a log has no id, so it is given one by what it is: its time, its item, and how many like it the user had
before. Replaying a log again, or a longer one that begins with it, takes in only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from recollect.data.log import EventLog
from recollect.serve.stores.contract import Arrival, Store
from recollect.serve.stores.journal import valid
from recollect.serve.stores.records import Event

CHUNK = 4096
"""Events taken in with one sync."""


def replay(store: Store, log: EventLog) -> Iterator[int]:
    """Take in every event of a log, user by user -> after each chunk, how many events are done.

    Raises ValueError where an id is longer than a store takes.
    """
    done, arrivals = 0, _arrivals(log)
    while chunk := list(islice(arrivals, CHUNK)):
        store.append(chunk, 0)
        done += len(chunk)
        yield done


def export_journal(journal: Path, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The events of a journal that are not void, oldest first, as columns: number, user, item, time, id.

    Needs no server, and one may be at work. What is written of it (`data.parquet.write_blocks`) reads as a log again.
    """
    events = valid(journal)
    block = list(islice(events, rows))
    while True:
        yield _columns(block)  # also of an empty journal: its columns have names
        block = list(islice(events, rows))
        if not block:
            return


def export_store(store: Store, rows: int = 1 << 18) -> Iterator[dict[str, np.ndarray]]:
    """The events of any store, user by user, as columns: user, item, time. Users who come meanwhile may be missing."""
    events = ((user, *event) for user in store.users() for event in store.past(user).events)
    block = list(islice(events, rows))
    while True:
        columns = zip(*block, strict=True) if block else ([], [], [])
        user, item, when = (list(column) for column in columns)
        yield {
            "user": np.array(user, dtype=object),
            "item": np.array(item, dtype=object),
            "time": np.array(when, dtype=np.int64),
        }
        block = list(islice(events, rows))
        if not block:
            return


def _arrivals(log: EventLog) -> Iterator[Arrival]:
    users, items = log.user_ids.ids, log.item_ids.ids
    first = log.item_ids.first
    for code, (begin, end) in enumerate(zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True)):
        user, before = str(users[code]), dict[tuple[int, str], int]()
        for item_code, time in zip(log.items[begin:end].tolist(), log.times[begin:end].tolist(), strict=True):
            item = str(items[item_code - first])
            count = before[time, item] = before.get((time, item), 0) + 1
            own = blake2b(f"{time} {count} {item}".encode(), digest_size=12).hexdigest()
            yield Arrival(user, item, time, own)


def _columns(block: list[tuple[int, Event]]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {"number": np.array([number for number, _ in block], dtype=np.int64)}
    for name in ("user", "item", "id"):
        columns[name] = np.array([getattr(event, name) for _, event in block], dtype=object)
    columns["time"] = np.array([event.time for _, event in block], dtype=np.int64)
    return columns
