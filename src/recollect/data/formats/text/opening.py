"""A text file opened: unpacked, in UTF-8, its lines ending as Unix has them. All that follows sees one kind of text.

A file that is UTF-8 with usual line ends is passed on as it is, without a copy.
"""

from __future__ import annotations

import codecs
import dataclasses
from pathlib import Path

from recollect.data.formats.text import encoding as encodings
from recollect.data.formats.text.encoding import Judgement
from recollect.data.formats.text.packing import refuse_what_is_no_text, unpacked
from recollect.data.log import DataError

NEWLINE, NUL = b"\n", b"\0"


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 with "\\n" (or "\\r\\n") at line ends. Lines that could not be made so hold a byte that UTF-8 never has."""

    path: Path
    data: bytes
    asked: str = ""
    """The encoding that was asked for, for messages."""
    perhaps: str = ""
    notes: tuple[str, ...] = ()

    def not_text(self, byte: int) -> str:
        """What is wrong with a line whose bytes do not fit."""
        if self.asked and encodings.known(self.asked) != "utf-8":
            return f"not {self.asked} (give the right --encoding)"
        perhaps = self.perhaps or "perhaps another encoding"
        return f"not UTF-8 (byte 0x{byte:02x}; {perhaps}: see --encoding)"


def open_text(path: Path, encoding: str | None = None) -> Text:
    """The text of a file. DataError if it is empty, cannot be unpacked, or is no text at all."""
    data = unpacked(path)
    if not data[:65536].strip() and not data.strip():
        raise DataError(f"{path}: the file is empty; give a log with a header line and one event a line")
    refuse_what_is_no_text(path, data)
    if not encoding:
        encodings.refuse_escapes(data, path)
    judged = Judgement(encodings.known(encoding)) if encoding else encodings.judge(data)
    doubt = encodings.doubts(data, judged.name)
    if judged.name != "utf-8":
        data = encodings.to_utf8(data, judged.name)
    data = data.removeprefix(codecs.BOM_UTF8)
    _refuse_nul(path, data)
    notes = tuple(note for note in (judged.note, doubt) if note)
    return Text(path, _with_line_ends(data), encoding or "", judged.perhaps, notes)


def _refuse_nul(path: Path, data: bytes) -> None:
    place = data.find(b"\0")
    if place < 0:
        return
    if 100 * data[:65536].count(b"\0") > len(data[:65536]):
        raise DataError(f"{path}: this is no text but a binary file; give CSV, TSV, JSON lines or Parquet")
    raise DataError(
        f"{path} line {data.count(NEWLINE, 0, place) + 1}: a NUL byte, which no text has ({data.count(NUL)} in the "
        f"file); take such bytes out, as by tr -d '\\000' <{path.name} >clean-{path.name}"
    )


def _with_line_ends(data: bytes) -> bytes:
    first = data[:65536]
    if b"\r" not in first:
        return data
    if b"\r\r\n" in first:  # written twice through Windows' translation
        return data.replace(b"\r\r\n", b"\n")
    if first.count(b"\r") - first.count(b"\r\n") > first.count(b"\n"):  # as old Macs end lines
        return data.replace(b"\r", b"\n")
    return data
