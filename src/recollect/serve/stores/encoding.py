"""The byte format of the index: keys that sort in the order of the events, and values with a checksum.

A checksum covers key and value, so that a value under the wrong key is found as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import zlib

from recollect.serve.stores.contract import Position, SavedMemory, UserSummary

Bytes = bytes | memoryview

_NUMBER = struct.Struct(">Q")
_COUNT = struct.Struct("<I")
_EVENT_KEY = struct.Struct(">QQQ")
_SUMMARY = struct.Struct("<QQQqQ")
_MEMORY_HEADER = struct.Struct("<12sQQqd")
_CHECKSUM = 4
_SIGN = 1 << 63


class ChecksumError(ValueError):
    """What was read is not what was written."""


def number_key(number: int) -> bytes:
    """A number as a key; keys sort as the numbers do."""
    return _NUMBER.pack(number)


def to_number(key: Bytes) -> int:
    return int(_NUMBER.unpack(key)[0])


def event_key(user: int, time: int, record: int) -> bytes:
    """The key of an event: keys sort by user, then time, then record number."""
    return _EVENT_KEY.pack(user, time + _SIGN, record)


def from_event_key(key: Bytes) -> tuple[int, int, int]:
    """user, time, record number."""
    user, time, record = _EVENT_KEY.unpack(key)
    return user, time - _SIGN, record


def item_and_time(key: Bytes, value: Bytes) -> tuple[str, int]:
    """Of an event, by its key and its value with a checksum. Raises ChecksumError."""
    return verified(key, value).decode(), from_event_key(key)[1]


def id_key(user: int, event_id: str) -> bytes:
    """The key of an event's id: of one length, however long the id is."""
    return _NUMBER.pack(user) + hashlib.blake2b(event_id.encode(), digest_size=16).digest()


def with_checksum(key: Bytes, value: bytes) -> bytes:
    """The value with a checksum in front."""
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(_CHECKSUM, "little") + value


def verified(key: Bytes, value: Bytes) -> bytes:
    """The reverse of `with_checksum`. Raises ChecksumError."""
    whole = bytes(value)
    if zlib.crc32(whole[_CHECKSUM:], zlib.crc32(key)) != int.from_bytes(whole[:_CHECKSUM], "little"):
        raise ChecksumError("a checksum of the index does not agree")
    return whole[_CHECKSUM:]


def summary_value(summary: UserSummary) -> bytes:
    return _SUMMARY.pack(*dataclasses.astuple(summary))


def to_summary(value: bytes) -> UserSummary:
    return UserSummary(*_SUMMARY.unpack(value))


def count_value(count: int) -> bytes:
    return _COUNT.pack(count)


def to_count(value: bytes) -> int:
    return int(_COUNT.unpack(value)[0])


def memory_value(memory: SavedMemory) -> bytes:
    at = memory.position
    header = _MEMORY_HEADER.pack(
        memory.fingerprint.encode(), at.last_record, at.events, at.latest_time, memory.last_used
    )
    return header + memory.data


def to_memory(value: bytes) -> SavedMemory:
    fingerprint, last_record, events, latest_time, last_used = _MEMORY_HEADER.unpack_from(value)
    position = Position(last_record, events, latest_time)
    return SavedMemory(fingerprint.rstrip(b"\0").decode(), position, last_used, value[_MEMORY_HEADER.size :])


def last_used(value: Bytes) -> float:
    """When the memory in a value with its checksum was last used; the memory itself is not looked at."""
    return float(_MEMORY_HEADER.unpack_from(value, _CHECKSUM)[4])
