"""How the index writes things down: keys that sort as events follow one another, values under a checksum.

A checksum is over key and value, so that a value which stands in the wrong place is found as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import zlib

from recollect.serve.stores.contract import Mark, Profile, Saved

Bytes = bytes | memoryview

_NUMBER = struct.Struct(">Q")
_PLACE = struct.Struct(">QQQ")
_PROFILE = struct.Struct("<QQQqQ")
_ABOUT = struct.Struct("<12sQQqd")
_SUM = 4
_SIGN = 1 << 63


class CellError(ValueError):
    """What was read is not what was written."""


def number_key(number: int) -> bytes:
    """A number; keys sort as numbers do."""
    return _NUMBER.pack(number)


def to_number(key: Bytes) -> int:
    return int(_NUMBER.unpack(key)[0])


def place_key(user: int, time: int, record: int) -> bytes:
    """Where an event stands: with its user, in the order of times, equal times in that of records."""
    return _PLACE.pack(user, time + _SIGN, record)


def to_place(key: Bytes) -> tuple[int, int, int]:
    """user, time, record."""
    user, time, record = _PLACE.unpack(key)
    return user, time - _SIGN, record


def id_key(user: int, own: str) -> bytes:
    """Where an event's own id stands, of one length however long the id is."""
    return _NUMBER.pack(user) + hashlib.blake2b(own.encode(), digest_size=16).digest()


def checking(key: Bytes, value: bytes) -> bytes:
    """The value with a checksum before it."""
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(_SUM, "little") + value


def checked(key: Bytes, value: Bytes) -> bytes:
    """The reverse of `checking`. Raises CellError."""
    whole = bytes(value)
    if zlib.crc32(whole[_SUM:], zlib.crc32(key)) != int.from_bytes(whole[:_SUM], "little"):
        raise CellError("a checksum of the index does not agree")
    return whole[_SUM:]


def profile_value(profile: Profile) -> bytes:
    return _PROFILE.pack(*dataclasses.astuple(profile))


def to_profile(value: bytes) -> Profile:
    return Profile(*_PROFILE.unpack(value))


def memory_value(one: Saved) -> bytes:
    about = _ABOUT.pack(one.maker.encode(), one.mark.last, one.mark.count, one.mark.newest, one.used)
    return about + one.data


def to_memory(value: bytes) -> Saved:
    maker, last, count, newest, used = _ABOUT.unpack_from(value)
    return Saved(maker.rstrip(b"\0").decode(), Mark(last, count, newest), used, value[_ABOUT.size :])


def last_used(cell: Bytes) -> float:
    """When the memory in a value with its checksum was used; the memory itself is not looked at."""
    return float(_ABOUT.unpack_from(cell, _SUM)[4])
