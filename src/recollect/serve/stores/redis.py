"""The store for several workers: events and memories in a Redis or Valkey server that they share.

What must be atomic is a script, which the server runs as one step. The server itself is the journal, so it has to write
to its disk before it acknowledges: its configuration is checked, and refused where it does not.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from recollect.config import ConfigError
from recollect.serve.stores.contract import (
    History,
    IncomingEvent,
    Position,
    Receipt,
    SavedMemory,
    StoreError,
    UserSummary,
)
from recollect.serve.stores.encoding import memory_value, to_memory
from recollect.serve.stores.records import Event

SECONDS = 10.0
"""How long a response of the server may take."""

# Keys of a user: p (summary), e (events in the order taken in: "number|time|item"), i (event id -> "number|item"), c
# (item -> how often it was met), m (memory). Of all users: the last record number, users by id, users by when their
# memory was last used. Versions before 0.2 kept s, the items seen, instead of c: `counted` of the summary says how many
# of the events are in c, and the others are counted when they are asked for.
_PREFIX = "recollect:"
_NUMBER, _USERS, _USED = (_PREFIX + name for name in ("number", "users", "used"))

_APPEND = """
local known = redis.call('HGET', KEYS[3], ARGV[4])
if known then
  local bar = string.find(known, '|', 1, true)
  local same = string.sub(known, bar + 1) == ARGV[2]
  return {same and 'repeated' or 'conflict', string.sub(known, 1, bar - 1)}
end
local number = redis.call('INCR', KEYS[5])
local old = redis.call('HMGET', KEYS[1], 'number', 'count', 'newest', 'late', 'counted')
local time = ARGV[3]
if time == '' then
  time = ARGV[5]
  if old[1] and tonumber(old[3]) > tonumber(time) then time = old[3] end
end
local newest, late = time, '0'
if old[1] then
  newest, late = old[3], old[4]
  if tonumber(time) < tonumber(newest) then late = number end
  if tonumber(time) > tonumber(newest) then newest = time end
end
redis.call('HSET', KEYS[1], 'number', old[1] or number, 'count', (old[2] or 0) + 1, 'last', number)
redis.call('HSET', KEYS[1], 'newest', newest, 'late', late)
redis.call('RPUSH', KEYS[2], number .. '|' .. time .. '|' .. ARGV[2])
redis.call('HSET', KEYS[3], ARGV[4], number .. '|' .. ARGV[2])
if not old[1] then redis.call('DEL', KEYS[4]) end
if (old[2] or '0') == (old[5] or '0') then
  redis.call('HINCRBY', KEYS[4], ARGV[2], 1)
  redis.call('HSET', KEYS[1], 'counted', (old[2] or 0) + 1)
end
redis.call('ZADD', KEYS[6], 0, ARGV[1])
return {'new', tostring(number)}
"""

_COUNT = """
local function item_of(row) return string.match(row, '^[^|]*|[^|]*|(.*)$') end
local function count()
  local p = redis.call('HMGET', KEYS[1], 'count', 'counted')
  if not p[1] or p[1] == p[2] then return end
  if not p[2] then redis.call('DEL', KEYS[3]) end
  for _, row in ipairs(redis.call('LRANGE', KEYS[2], p[2] or 0, -1)) do
    redis.call('HINCRBY', KEYS[3], item_of(row), 1)
  end
  redis.call('HSET', KEYS[1], 'counted', p[1])
  redis.call('DEL', KEYS[4])
end
"""

_HISTORY = (
    _COUNT
    + """
local p = redis.call('HMGET', KEYS[1], 'number', 'count', 'last', 'newest', 'late')
if not p[1] then return {} end
local from, complete = 0, 1
if ARGV[1] ~= '' then
  local last, count = tonumber(ARGV[1]), tonumber(ARGV[2])
  local begin = math.max(tonumber(p[1]), tonumber(p[5]))
  if count == 0 or (begin <= last and last <= tonumber(p[3]) and count <= tonumber(p[2])) then
    from, complete = count, 0
  end
end
local rows, counts = redis.call('LRANGE', KEYS[2], from, -1), {}
if ARGV[3] == '1' then
  count()
  for place, row in ipairs(rows) do counts[place] = redis.call('HGET', KEYS[3], item_of(row)) end
end
return {p, complete, rows, counts}
"""
)

_SAVE = """
local number = redis.call('HGET', KEYS[1], 'number')
if not number or tonumber(ARGV[4]) < tonumber(number) then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1
"""

_FORGET = """
local there = redis.call('EXISTS', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('ZREM', KEYS[8], ARGV[1])
if there == 1 then redis.call('INCR', KEYS[9]) end
return there
"""


class RedisStore:
    """A `Store` in the server at a URL: `redis://[:password@]host:port/database`, or `rediss://` for TLS.

    With `?durability=trusted` the server's configuration is not checked. Raises StoreError where the server cannot be
    reached or acknowledges before it writes, ConfigError where the package `redis` is missing.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise ConfigError(
                "a store on Redis needs the package redis; from the checkout: "
                "pip install -c constraints.txt -e '.[redis]'"
            ) from None
        parts = urlsplit(url)
        try:
            self._address = f"{parts.hostname}:{parts.port or 6379}"  # without the password
        except ValueError as error:
            raise StoreError(f"{parts.scheme}://{parts.hostname}: {error}") from None
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        if parts.scheme in ("redis", "rediss") and not re.fullmatch(r"/?\d*", parts.path):
            # The library would take what is no number for database 0.
            raise StoreError(f"{self._address}{parts.path}: the database is a number, as in redis://HOST:PORT/3")
        options = parse_qs(parts.query)
        trusted = options.pop("durability", None) == ["trusted"]
        try:
            self._redis: Any = redis.Redis.from_url(
                parts._replace(query=urlencode(options, doseq=True)).geturl(),
                socket_timeout=SECONDS,
                socket_connect_timeout=SECONDS,
            )
        except ValueError as error:
            raise StoreError(f"{parts.scheme}://{self._address}: a folder or redis://HOST:PORT ({error})") from None
        self._append, self._count, self._history, self._save_memory, self._forget = (
            self._redis.register_script(text) for text in (_APPEND, _COUNT + "count()", _HISTORY, _SAVE, _FORGET)
        )
        with self._store_errors():
            try:
                self._redis.ping()
            except TypeError:  # how the library refuses an option
                unknown = ", ".join(options)
                raise StoreError(f"{self._address}: ?{unknown}= is not an option of an address; see redis-py") from None
            if not trusted:
                self._check_durability()

    @property
    def events(self) -> int:
        """How many events there are of all users."""
        with self._store_errors(), self._redis.pipeline(transaction=False) as several:
            for user in self.users():
                several.hget(_key("p", user), "count")
            return sum(int(count or 0) for count in several.execute())

    def append(self, incoming: Sequence[IncomingEvent], now: int) -> list[Receipt]:
        ids = [uuid.uuid4().hex if one.id is None else one.id for one in incoming]
        for one, event_id in zip(incoming, ids, strict=True):
            Event(one.user, one.item, one.time or 0, event_id)  # refuse before anything is taken in
        with self._store_errors(), self._redis.pipeline(transaction=False) as several:
            for one, event_id in zip(incoming, ids, strict=True):
                keys = [*(_key(kind, one.user) for kind in "peic"), _NUMBER, _USERS]
                when = "" if one.time is None else one.time
                self._append(keys, [one.user, one.item, when, event_id, now], client=several)
            replies = several.execute()
        return [Receipt(outcome.decode(), int(number), id) for (outcome, number), id in zip(replies, ids, strict=True)]

    def refusal(self) -> str | None:
        with self._store_errors():
            status = self._redis.info("persistence").get("aof_last_write_status", "ok")
        return None if status == "ok" else f"{self._address} cannot write its append-only file ({status})"

    def summary(self, user: str) -> UserSummary | None:
        with self._store_errors():
            return _summary(self._redis.hmget(_key("p", user), "number", "count", "last", "newest", "late"))

    def users(self, after: str = "", limit: int = 1 << 60, prefix: str = "") -> list[str]:
        start, begin = prefix.encode(), after.encode()
        least = b"(" + begin if begin >= start and begin else b"[" + start if start else b"-"
        most = b"[" + start + b"\xff" if start else b"+"  # no text has such a byte
        with self._store_errors():
            found = self._redis.zrangebylex(_USERS, least, most, start=0, num=min(limit, 1 << 31))
        return [user.decode() for user in found]

    def history(self, user: str, position: Position | None = None, *, counts: bool = False) -> History:
        read = ["", ""] if position is None else [position.last_record, position.events]
        with self._store_errors():
            found = self._history([_key(kind, user) for kind in "pecs"], [*read, int(counts)])
        if not found:
            return History(None, [], complete=True)
        summary, complete, rows, met = found
        counted = {_item(row): int(count) for row, count in zip(rows, met, strict=True)} if counts else {}
        return History(_summary(summary), _by_time(rows), bool(complete), counted)

    def recent_events(self, user: str, limit: int) -> list[tuple[str, int]]:
        summary = self.summary(user)
        if summary is None or not limit:
            return []
        with self._store_errors():
            # Where events came late, the newest by time may be anywhere in the list.
            return _by_time(self._redis.lrange(_key("e", user), 0 if summary.late_record else -limit, -1))[-limit:]

    def meetings(self, user: str, items: Sequence[str]) -> list[int]:
        if not items:
            return []
        with self._store_errors():
            with self._redis.pipeline(transaction=False) as both:
                both.hmget(_key("p", user), "count", "counted").hmget(_key("c", user), list(items))
                (events, counted), found = both.execute()
            if events != counted:  # an older version took events in
                self._count([_key(kind, user) for kind in "pecs"])
                found = self._redis.hmget(_key("c", user), list(items))
            return [int(count or 0) for count in found]

    def load_memories(self, users: Sequence[str]) -> list[SavedMemory | None]:
        if not users:
            return []
        with self._store_errors():
            return [_to_memory(value) for value in self._redis.mget([_key("m", user) for user in users])]

    def save_memories(self, memories: Iterable[tuple[str, SavedMemory]]) -> None:
        with self._store_errors(), self._redis.pipeline(transaction=False) as several:
            for user, one in memories:
                keys = [_key("p", user), _key("m", user), _USED]
                self._save_memory(
                    keys, [user, memory_value(one), one.last_used, one.position.last_record], client=several
                )
            several.execute()

    def evict(self, before: float) -> int:
        with self._store_errors():
            old = self._redis.zrangebyscore(_USED, "-inf", f"({before!r}")
            for user in old:
                with self._redis.pipeline() as both:
                    both.delete(_key("m", user.decode())).zrem(_USED, user).execute()
            return len(old)

    def forget(self, user: str) -> bool:
        keys = [*(_key(kind, user) for kind in "peicsm"), _USERS, _USED, _NUMBER]
        with self._store_errors():
            return bool(self._forget(keys, [user]))

    def compact(self) -> int:
        """Have the server rewrite its files, without what was deleted -> 0, since the number is not known.

        By itself a server does so only when they have grown.
        """
        with self._store_errors():
            self._wait_until_written()  # one that is running may have started before the deletion
            self._redis.bgrewriteaof()
            self._wait_until_written()
            snapshots = self._has_snapshots()
            if snapshots:
                self._redis.bgsave()
            report = self._wait_until_written()
        if report["aof_last_bgrewrite_status"] != "ok" or (snapshots and report["rdb_last_bgsave_status"] != "ok"):
            raise StoreError(f"{self._address}: the server could not rewrite its files; its own log says why")
        return 0

    def close(self) -> None:
        self._redis.close()

    def __enter__(self) -> RedisStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_until_written(self) -> dict[str, Any]:
        """Wait until the server is not writing any of its files -> its report on them."""
        while True:
            report: dict[str, Any] = self._redis.info("persistence")
            if not any(map(report.get, ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress"))):
                return report
            time.sleep(0.05)

    def _has_snapshots(self) -> bool:
        """Whether the server keeps snapshots, a second file to rewrite; True also where it does not tell."""
        try:
            return self._redis.config_get("save").get("save") != ""
        except self._errors:
            return True

    def _check_durability(self) -> None:
        try:
            config = {**self._redis.config_get("*append*"), **self._redis.config_get("maxmemory-policy")}
        except self._errors:
            raise StoreError(
                f"{self._address}: the server does not tell whether it writes to disk before it acknowledges; "
                "if you know that it does, add ?durability=trusted to the address"
            ) from None
        if config.get("appendonly") != "yes" or config.get("appendfsync") != "always":
            raise StoreError(
                f"{self._address}: the server acknowledges before its disk has it; "
                "set appendonly yes and appendfsync always in its configuration"
            )
        if config.get("no-appendfsync-on-rewrite") == "yes":
            raise StoreError(
                f"{self._address}: the server acknowledges before its disk has it while it rewrites its file; "
                "set no-appendfsync-on-rewrite no in its configuration"
            )
        if str(config.get("maxmemory-policy")).startswith("allkeys"):
            raise StoreError(
                f"{self._address}: the server deletes events when its memory is full; "
                "set maxmemory-policy noeviction in its configuration"
            )

    @contextlib.contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StoreError(f"{self._address}: {error}") from None


def _key(kind: str, user: str) -> str:
    return f"{_PREFIX}{kind}:{user}"


def _summary(values: Sequence[bytes | None]) -> UserSummary | None:
    return None if values[0] is None else UserSummary(*(int(value or 0) for value in values))


def _item(row: bytes) -> str:
    return row.decode().split("|", 2)[2]


def _by_time(rows: Iterable[bytes]) -> list[tuple[str, int]]:
    """item, time, in the order of their time; equal times in the order taken in."""
    events = []
    for row in rows:
        number, when, item = row.decode().split("|", 2)
        events.append((int(when), int(number), item))
    return [(item, when) for when, _, item in sorted(events)]


def _to_memory(value: bytes | None) -> SavedMemory | None:
    return None if value is None else to_memory(value)
