"""How text is encoded, judged by its bytes: UTF-8 nearly always, UTF-16 by its mark, cp1252 where it looks Western.

A guess that could be wrong is not taken: Chinese, Japanese or Cyrillic in an encoding of its own must be named.
Source of the signs of cp1252: the Unicode Consortium's table of that code page.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterator

from recollect.data.log import DataError

_CHUNK = 1 << 20
_TWICE = re.compile(rb"\xc3[\x82\x83]\xc2[\x80-\x9f\xa1-\xbf]")
"""A letter of Latin-1 in UTF-8, each of whose bytes was taken for a letter and written in UTF-8 again."""
_ESCAPES = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$)C": "iso2022_kr"}
_LOOKED_AT = 8 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WHOLE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_COUPLES = re.compile(rb"[\xe4\xf6\xfc]\xdf|\xe9\xe9")
"""Letters with marks that stand beside each other in German and French: größe, süß, äße, créée."""
_LETTERS = bytes(range(0xC0, 0x100))
_SIGNS = bytes([0x80, 0x85, *range(0x91, 0x98), 0x99, 0x9A, 0x9C, 0x9E, *range(0xA0, 0xC0)]) + b"\x8a\x8c\x8e"
_OTHERS = ("gbk", "shift_jis", "euc_kr", "big5", "cp1251")
_SPOILT = b"\xff"
"""Put before a line that its encoding does not fit: no UTF-8 holds it, so the line is found again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """The encoding, a sentence about it where it was no matter of course, and what bad bytes may be instead."""

    name: str = "utf-8"
    note: str = ""
    perhaps: str = ""


def known(name: str) -> str:
    """The encoding of that name as Python calls it. DataError for a name it does not know."""
    try:
        "".encode(name)  # which also refuses what Python calls a codec but is no encoding of text
        return codecs.lookup(name).name
    except LookupError:
        raise DataError(f"{name!r} is no encoding; usual ones are utf-8, cp1252, latin-1, gbk, shift_jis") from None


def judge(data: bytes) -> Judgement:
    """The encoding of a text file, by its bytes."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Judgement(name, f"text is read as {name.upper()}, by its first bytes")
    if b"\0" in data[:4096]:
        even, odd = data[:4096:2].count(0), data[1:4096:2].count(0)
        if min(even, odd) == 0 and max(even, odd) > max(8, 0.3 * len(data[:4096])):
            name = "utf-16-le" if odd else "utf-16-be"
            return Judgement(name, f"text is read as {name.upper()}: every other byte is zero")
    if data.isascii() or _is_utf8(data):
        return Judgement()
    return _judge_high_bytes(_around_bad(data))


def doubts(data: bytes, said: str) -> str:
    """What is to be said of bytes that were read in the encoding `said`, '' mostly."""
    if data.isascii():
        return ""
    if not said.startswith("utf"):
        return f"text is read as {said}, as was said, though its bytes are UTF-8 as well" if _is_utf8(data) else ""
    if said == "utf-8" and (found := _TWICE.search(data, 0, _CHUNK)):
        return (
            f"letters such as {found[0].decode()!r} seem to be UTF-8 that was read as Latin-1 and written again; they "
            "are taken as they stand"
        )
    return ""


def refuse_escapes(data: bytes, place: object) -> None:
    """DataError for text in ISO-2022, which is all ASCII and says by escapes what it means."""
    for escape, name in _ESCAPES.items():
        if escape in data[:_CHUNK]:
            raise DataError(f"{place}: the text seems to be {name}; say --encoding {name}")


def to_utf8(data: bytes, encoding: str) -> bytes:
    """The text in UTF-8; lines that do not fit the encoding are kept with a byte before them that UTF-8 never has."""
    decoder = codecs.getincrementaldecoder(encoding)()
    parts: list[bytes] = []
    try:
        for start in range(0, len(data), _CHUNK):
            parts.append(decoder.decode(data[start : start + _CHUNK]).encode())
        parts.append(decoder.decode(b"", True).encode())
    except UnicodeError:
        return b"\n".join(_by_line(data, encoding))
    return b"".join(parts)


def _by_line(data: bytes, encoding: str) -> Iterator[bytes]:
    if encoding.startswith(("utf-16", "utf-32")):  # its line ends are no single bytes
        yield data.decode(encoding, "replace").encode()
        return
    for line in data.split(b"\n"):
        try:
            yield line.decode(encoding).encode()
        except UnicodeError:
            yield _SPOILT + line


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _around_bad(data: bytes) -> bytes:
    """The first part of the data, and the part where the first bytes stand that are not UTF-8."""
    if len(data) <= _LOOKED_AT:
        return data
    part, start = data[:_LOOKED_AT], _LOOKED_AT
    while _is_utf8(part[: part.rfind(b"\n") + 1]) and start < len(data):
        part, start = data[start : start + _LOOKED_AT], start + _LOOKED_AT
    return part


def _judge_high_bytes(part: bytes) -> Judgement:
    whole = len(_WHOLE.findall(part))
    rest = _HIGH.findall(_WHOLE.sub(b"", part))
    if whole > 4 * len(rest):  # pairs of bytes that look like UTF-8 stand in other encodings too, but not so many
        return Judgement(perhaps="perhaps a damaged line")
    runs = _HIGH.findall(part)
    high = b"".join(runs)
    alone = sum(len(run) == 1 or _COUPLES.fullmatch(run) is not None for run in runs) / len(runs)
    western = len(high) - len(high.translate(None, _LETTERS + _SIGNS))
    if alone >= 0.7 and western / len(high) >= 0.9:
        return Judgement("cp1252" if _fits(part, "cp1252") else "latin-1", _western_note(part))
    fitting = [name for name in _OTHERS if _fits(part[: part.rfind(b"\n") + 1] or part, name)]
    return Judgement(perhaps=f"perhaps {' or '.join(fitting[:2])}" if fitting else "perhaps another encoding")


def _western_note(part: bytes) -> str:
    name = "cp1252" if _fits(part, "cp1252") else "latin-1"
    return f"text is read as {name}, as it is not UTF-8 (--encoding says otherwise)"


def _fits(part: bytes, encoding: str) -> bool:
    try:
        part.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
