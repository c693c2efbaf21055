"""The bytes of a file, unpacked: gzip, bzip2, xz, zstd and zip, told by content. What is no text is named.

Only what a person can do something about is answered here; whether the text is a log is for others to say.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from recollect.data.log import DataError

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings of packed files: `log.csv.gz` holds what `log.csv` would."""

GZIP, BZIP, XZ, ZSTD, ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_EXCEL = "an Excel workbook; save its sheet as CSV (UTF-8), or in Python: recollect.read(pandas.read_excel(...))"
_MAGIC = {
    b"PAR1": "a Parquet file; rename it to end in .parquet, or say --format parquet",
    b"\xd0\xcf\x11\xe0": _EXCEL,
    b"ARROW1": "an Arrow file; in Python: recollect.read(polars.read_ipc(...))",
    b"FEA1": "a Feather file; in Python: recollect.read(pandas.read_feather(...))",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; in Python: recollect.read(pandas.read_hdf(...))",
    b"\x93NUMPY": "a NumPy array; in Python: recollect.read(pandas.DataFrame(numpy.load(...)), user=0, item=1)",
    b"\x80\x04": "a pickle; it may run code when opened, so write it as CSV or Parquet where it was made",
    b"\x80\x05": "a pickle; it may run code when opened, so write it as CSV or Parquet where it was made",
    b"Obj\x01": "an Avro file; write it as Parquet",
    b"ORC": "an ORC file; write it as Parquet",
    b"7z\xbc\xaf": "a 7z archive; unpack it and name the file in it",
    b"\x04\x22\x4d\x18": "an lz4 file; unpack it and name the file in it",
    b"\x1f\x9d": "a file packed by compress; unpack it and name the file in it",
    b"Rar!": "a RAR archive; unpack it and name the file in it",
    b"%PDF": "a PDF; a log is a table of text",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; fetch it with git lfs pull",
}
_PAGES = (b"<!doctype html", b"<html")
_NO_LOGS = (".pdf", ".md", ".html", ".png", ".jpg", ".py", ".sql")


def bare_name(path: Path) -> str:
    """The name without the ending of its packing: `log.csv` for `log.csv.gz`."""
    name = path.name
    while name.lower().endswith(PACKED):
        name = name[: name.rindex(".")]
    return name or path.name


def ending(path: Path) -> str:
    """What kind of file this is by its name: `.csv` for both `log.csv` and `log.csv.gz`."""
    return Path(bare_name(path).lower()).suffix


def unpacked(path: Path) -> bytes:
    """The whole content. DataError if the file cannot be read or unpacked."""
    try:
        data = path.read_bytes()
        return _unpacked(path, data)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: damaged {_kind(data)} file ({error}); fetch it again") from None
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:  # bz2 says OSError for bad data
            raise DataError(f"{path}: damaged {_kind(data)} file ({error}); fetch it again") from None
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def beginning(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of the content, unpacked as far as needed; empty if they cannot be read."""
    try:
        with path.open("rb") as file:
            magic = file.read(8)
            file.seek(0)
            if magic.startswith(ZIP):
                with zipfile.ZipFile(file) as archive, archive.open(_member(path, archive)) as inside:
                    return inside.read(size)
            if magic.startswith(ZSTD):
                return _zstd(path, file.read())[:size]
            return _stream(magic, file).read(size)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError, RuntimeError):
        return b""  # reading it in earnest will say what is wrong


def refuse_what_is_no_text(path: Path, data: bytes) -> None:
    """DataError for content that is known not to be a table of text, with what to do about it."""
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise DataError(f"{path}: this is {what}")
    if data[257:262] == b"ustar":
        raise DataError(f"{path}: this is a tar archive; unpack it and name the file in it, or the folder")
    if data[:200].lstrip().lower().startswith(_PAGES):
        if b"<table" in data[:65536].lower():
            raise DataError(
                f"{path}: this is a web page with a table, as many programs write for Excel; save it as CSV"
            )
        raise DataError(f"{path}: this is a web page, perhaps that of a log-in; download the file itself")


def _unpacked(path: Path, data: bytes) -> bytes:
    if data.startswith(GZIP):
        return gzip.decompress(data)
    if data.startswith(BZIP):
        return bz2.decompress(data)
    if data.startswith(XZ):
        return lzma.decompress(data)
    if data.startswith(ZSTD):
        return _zstd(path, data)
    if data.startswith((ZIP, b"PK\x05\x06")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _member(path, archive)
            try:
                return archive.read(member)
            except (RuntimeError, NotImplementedError) as error:  # a password, a packing that Python does not know
                raise DataError(f"{path}: {member} cannot be unpacked ({error}); unpack it and name the file") from None
    return data


def _stream(magic: bytes, file: IO[bytes]) -> IO[bytes] | gzip.GzipFile:
    if magic.startswith(GZIP):
        return gzip.GzipFile(fileobj=file)
    if magic.startswith(BZIP):
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if magic.startswith(XZ) else file


def _kind(data: bytes) -> str:
    names = {GZIP: "gzip", BZIP: "bzip2", XZ: "xz", ZSTD: "zstd", b"PK": "zip"}
    return next((name for magic, name in names.items() if data.startswith(magic)), "packed")


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one file of an archive that can be a log. DataError if there is none, or more than one."""
    names = [one for one in archive.namelist() if not one.endswith("/")]
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        raise DataError(f"{path}: this is {_EXCEL}")
    if "mimetype" in names and "content.xml" in names:
        raise DataError(f"{path}: this is a spreadsheet of LibreOffice; save it as CSV")
    logs = [one for one in names if _may_be_a_log(one)]
    if len(logs) == 1:
        return logs[0]
    shown = ", ".join((logs or names)[:6]) + (" ..." if len(logs or names) > 6 else "")
    what = f"{len(logs)} files that may be logs ({shown})" if logs else f"no log in it ({shown or 'it is empty'})"
    raise DataError(f"{path}: a zip with {what}; unpack it, and name the file or the folder")


def _may_be_a_log(member: str) -> bool:
    *folders, name = member.split("/")
    hidden = name.startswith((".", "_")) or any(one.startswith((".", "__MACOSX")) for one in folders)
    return not hidden and not name.upper().startswith(("README", "LICENSE")) and not name.lower().endswith(_NO_LOGS)


def _zstd(path: Path, data: bytes) -> bytes:
    """By whatever can: Python from 3.14 on, an installed package, else Polars, which takes UTF-8 text only."""
    for module in ("compression.zstd", "backports.zstd", "zstandard"):
        try:
            found = importlib.import_module(module)
        except ImportError:
            continue
        if module == "zstandard":
            reader: IO[bytes] = found.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
            return _told(path, reader.read, found.ZstdError)
        return _told(path, lambda module=found: module.decompress(data), found.ZstdError)  # type: ignore[misc]
    return _zstd_by_polars(path, data)


def _told(path: Path, read: Callable[[], bytes], kind: type[Exception]) -> bytes:
    try:
        return read()
    except kind as error:
        raise DataError(f"{path}: damaged zstd file ({error}); fetch it again") from None


def _zstd_by_polars(path: Path, data: bytes) -> bytes:
    """The whole text as one cell: no text has the signs that would end the row or the field."""
    import polars as pl

    try:
        cells = pl.read_csv(
            data, has_header=False, infer_schema=False, eol_char="\0", separator="\x1f", quote_char=None
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if "utf-8" in str(error).lower():
            raise DataError(
                f"{path}: zstd around text that is not UTF-8; install zstandard to read it, or unpack it first"
            ) from None
        raise DataError(f"{path}: damaged zstd file ({str(error).splitlines()[0]}); fetch it again") from None
    if len(cells) != 1:
        raise DataError(f"{path}: zstd around what is no UTF-8 text; install zstandard to read it, or unpack it first")
    return b"\x1f".join((cell or "").encode() for cell in cells.row(0))
