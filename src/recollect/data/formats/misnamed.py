"""Files whose name promises another kind than they hold: a CSV that is called .parquet or .json is not damaged."""

from __future__ import annotations

from pathlib import Path

from recollect.data.formats.text.dialect import sniff
from recollect.data.formats.text.packing import beginning, refuse_what_is_no_text, unpacked
from recollect.data.log import DataError
from recollect.data.raw_table import shorten

_LOOKED_AT = 1 << 14


def refuse(path: Path, promised: str) -> None:
    """DataError if a file that should be `promised` is of another kind that can be told, with what to do."""
    data = beginning(path, _LOOKED_AT) or unpacked(path)[:_LOOKED_AT]
    refuse_what_is_no_text(path, data)
    lines = [line for line in data.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    if b"\0" in data or len(lines) < 2:
        return
    first = lines[0].strip()
    if first[:1] in "{[":
        what, kind = "JSON", "json"
    elif (sign := sniff(first)) is not None and all(sign in line for line in lines[:-1]):  # the last may be cut short
        what, kind = "text like CSV", "delimited"
    else:
        return
    if what != promised:
        shown = shorten(repr(first), 50)
        raise DataError(f"{path}: no {promised} but {what} ({shown}); rename it, or say --format {kind}")
