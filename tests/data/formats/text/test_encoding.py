"""Encodings are judged by bytes: UTF-8, UTF-16 and Western text are read, what could be several things is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.formats.text.encoding import judge, to_utf8
from recollect.data.formats.text.opening import open_text
from recollect.data.log import DataError

WESTERN = "user,item,time,shop\n" + "".join(f"u{k},i{k},{k},Café £{k} Größe – naïve\n" for k in range(20))
FOREIGN = {
    "gbk": "商品买家我们看书，今天天气很好",
    "cp1251": "привет мир книга",
    "shift_jis": "こんにちは世界カタカナ",
    "euc_kr": "안녕하세요 세계",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252"])
def test_western_text_comes_back_from_any_usual_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(WESTERN.encode(encoding))
    text = open_text(path)
    assert text.data.decode() == WESTERN
    assert bool(text.notes) == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize("word", ["Größe", "süß", "créée"])
def test_letters_beside_each_other_are_western_still(word: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(("user,item,time,title\n" + f"u,i,1,{word}\n" * 9).encode("cp1252"))
    assert word in open_text(path).data.decode()


@pytest.mark.parametrize("encoding", FOREIGN)
def test_other_encodings_are_asked_for(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        ("user,item,time\n" + "".join(f"{FOREIGN[encoding]},i{k},{k}\n" for k in range(9))).encode(encoding)
    )
    with pytest.raises(DataError, match=r"line 2: not UTF-8 \(byte 0x.*--encoding"):
        sources.read(path)
    log = sources.read(path, encoding=encoding)
    assert log.user_ids.ids.tolist() == [FOREIGN[encoding]] and len(log) == 9
    assert judge(path.read_bytes()).name == "utf-8"  # which is to say: none was taken


def test_a_damaged_line_of_utf8_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [f"u{k},Ünïcödé {k},{k}".encode() for k in range(50)]
    lines[30] = b"u30,\xff\xfe,30"
    path = tmp_path / "x.csv"
    path.write_bytes(b"\n".join([b"user,item,time", *lines]))
    with pytest.raises(DataError, match=r"line 32: not UTF-8 \(byte 0xff; perhaps a damaged line"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert len(log) == 49 and [(one.reason, one.events) for one in log.dropped] == [("not UTF-8", 1)]


def test_the_encoding_that_is_asked_for_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("user,item,time\n1,a,1\n2,é,2\n3,c,3\n".encode())
    with pytest.raises(DataError, match=r"x\.csv line 3: not ascii"):
        sources.read(path, encoding="ascii")
    assert len(sources.read(path, encoding="ascii", on_bad="skip")) == 2
    for name in ("klingon", "base64"):
        with pytest.raises(DataError, match="is no encoding"):
            sources.read(path, encoding=name)


@given(st.text(max_size=60), st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-16-le"]))
def test_whatever_unicode_holds_survives(text: str, encoding: str) -> None:
    assert to_utf8(text.encode(encoding), encoding).decode() == text


def test_line_ends(tmp_path: Path) -> None:
    rows = "user,item,time\n1,a,1\n2,b,2\n"
    for end in ("\n", "\r\n", "\r", "\r\r\n"):
        (tmp_path / "x.csv").write_bytes(rows.replace("\n", end).encode())
        assert len(sources.read(tmp_path / "x.csv")) == 2, repr(end)


def test_text_that_only_looks_like_ascii_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"user,item,time\n{FOREIGN['shift_jis']},a,1\n".encode("iso2022_jp"))
    with pytest.raises(DataError, match="seems to be iso2022_jp; say --encoding iso2022_jp"):
        sources.read(path)
    assert sources.read(path, encoding="iso2022_jp").user_ids.ids.tolist() == [FOREIGN["shift_jis"]]


def test_letters_that_were_read_wrongly_before_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(WESTERN.encode().decode("latin-1").encode())
    assert any("read as Latin-1 and written again" in note for note in open_text(path).notes)
    path.write_bytes((WESTERN + "u,\u00c3,1,S\u00c3O \u00c2\u00a0x\u00e3\n").encode())
    assert not open_text(path).notes
    assert any("its bytes are UTF-8 as well" in note for note in open_text(path, "cp1252").notes)
    path.write_bytes(WESTERN.encode("cp1252"))
    assert not open_text(path, "cp1252").notes
