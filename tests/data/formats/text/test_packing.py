"""Packed files give what is in them, and what is no text is called by its name with what to do about it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from recollect.data import sources
from recollect.data.formats.text.packing import bare_name, beginning, unpacked
from recollect.data.log import DataError

CSV = b"user,item,time\n1,a,10\n1,b,20\n2,a,30\n"
PACKED = {
    ".gz": gzip.compress(CSV, mtime=0),
    ".bz2": bz2.compress(CSV),
    ".xz": lzma.compress(CSV),
    ".zst": pa.compress(CSV, codec="zstd", asbytes=True),
}


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("named", [True, False])
def test_packing_is_told_by_content(ending: str, named: bool, tmp_path: Path) -> None:
    path = tmp_path / (f"log.csv{ending}" if named else "log.csv")
    path.write_bytes(PACKED[ending])
    assert unpacked(path) == CSV and beginning(path, 9) == CSV[:9] and bare_name(path) == "log.csv"
    log = sources.read(path)
    assert len(log) == 3 and log.name == "log"


@pytest.mark.parametrize("ending", PACKED)
def test_damage_is_one_line(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.csv{ending}"
    path.write_bytes(PACKED[ending][:-9])
    with pytest.raises(DataError, match="damaged .* file .*fetch it again") as error:
        unpacked(path)
    assert "\n" not in str(error.value) and beginning(path) in (b"", CSV)


def test_the_one_log_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    others = {"README.md": b"x", "__MACOSX/._log.csv": b"x", "data/.hidden": b"x", "LICENSE": b"x"}
    path.write_bytes(_zip(**{"data/log.csv": CSV, **others}))
    assert len(sources.read(path)) == 3
    path.write_bytes(_zip(**{"a.csv": CSV, "b.csv": CSV, **others}))
    with pytest.raises(DataError, match=r"2 files that may be logs \(a\.csv, b\.csv\); unpack it"):
        sources.read(path)
    path.write_bytes(_zip(**others))
    with pytest.raises(DataError, match="no log in it"):
        sources.read(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (_zip(**{"xl/workbook.xml": b"x", "[Content_Types].xml": b"x"}), "an Excel workbook; save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook; save its sheet as CSV"),
        (_zip(**{"mimetype": b"x", "content.xml": b"x"}), "spreadsheet of LibreOffice"),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"SQLite format 3\0" + bytes(50), "an SQLite database"),
        (b"\x80\x04\x95rest", "a pickle"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive; unpack it"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.xlsx", "log"])
def test_what_is_no_text_is_called_by_its_name(content: bytes, what: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as error:
        sources.read(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_a_tar_archive(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(CSV)
    with tarfile.open(tmp_path / "log.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "log.csv", "log.csv")
    with pytest.raises(DataError, match="a tar archive; unpack it"):
        sources.read(tmp_path / "log.tar.gz")
