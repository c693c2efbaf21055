"""No row vanishes, whatever quotes do: the fast reader's rows are those of the file, or the careful one reads them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.formats.text import careful, fast
from recollect.data.formats.text import head as heads
from recollect.data.formats.text.dialect import Dialect
from recollect.data.formats.text.head import Head
from recollect.data.formats.text.opening import Text
from recollect.data.formats.text.rows import read_rows
from recollect.data.log import DataError

# Titles as they are: inch marks, words in quotes, quotes that open and do not close.
TITLES = st.sampled_from(
    [
        "Bare",
        '12" Mix',
        '"Heroes"',
        '"Weird Al" Yankovic',
        '"open',
        'shut"',
        '7" and 12"',
        '"',
        '""',
        '"a" "b"',
        "",
        "x y",
    ]
)
# What rows look like is learnt from those without a quote, so there are some.
SOME = st.lists(TITLES, min_size=1, max_size=30).flatmap(lambda some: st.permutations(["Bare", "x y", "z", *some]))


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@given(titles=SOME)
def test_quotes_in_a_column_that_is_not_used_lose_no_row(
    separator: str, titles: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [(f"u{k % 3}", f"i{k}", str(1_600_000_000 + k), title, "5") for k, title in enumerate(titles)]
    path = tmp_path_factory.mktemp("quotes") / "log.txt"
    lines = [separator.join(row) for row in [("user", "item", "time", "title", "rating"), *rows]]
    path.write_text("\n".join(lines) + "\n")
    log = sources.read(path)
    assert not log.dropped
    assert sorted(log.item_ids.decode(log.items).tolist()) == sorted(row[1] for row in rows)


@given(titles=SOME)
def test_titles_between_tabs_are_ids_as_they_stand(titles: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("quotes") / "log.tsv"
    lines = [f"u{k}\t{title}\t{1_600_000_000 + k}" for k, title in enumerate(titles)]
    path.write_text("\n".join(["user\titem\ttime", *lines]) + "\n")
    meant = {'"Heroes"': "Heroes", '""': ""}
    wanted = [title for title in (meant.get(one, one) for one in titles) if title]
    if not wanted:
        return
    log = sources.read(path)
    assert len(log) + sum(one.events for one in log.dropped) == len(titles)
    assert sorted(log.item_ids.decode(log.items).tolist()) == sorted(wanted)


@given(
    notes=st.lists(st.text(alphabet='ab ,\n"5', max_size=12), min_size=3, max_size=20),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_the_fast_reader_says_what_the_careful_one_says_or_nothing(notes: list[str], quoting: int) -> None:
    out = io.StringIO(newline="")
    rows = [(f"u{k}", note, str(k)) for k, note in enumerate(notes)]
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    text, dialect = Text(Path("x.csv"), out.getvalue().encode()), Dialect(",")
    head = Head(("user", "note", "time"))
    quick = fast.read_fast(text, dialect, head, ("user", "note", "time"))
    slow = careful.read_carefully(text, dialect, head, ("user", "note", "time"), "stop")
    wanted = [(user, note or None, time) for user, note, time in rows]
    assert slow.frame.rows() == wanted
    assert quick is None or [tuple(cell or None for cell in row) for row in quick.frame.rows()] == wanted


def test_usual_files_are_read_fast() -> None:
    bodies = {
        "plain": "u1,i1,1\nu2,i2,2\n",
        "no end": "u1,i1,1\nu2,i2,2",
        "empty lines at the end": 'u1,"i1",1\nu2,i2,2\n\n\n',
        "quoted commas": '"u1","i,1",1\nu2,"i2",2\n',
        "quoted line ends": 'u1,"i\n1",1\nu2,"i2\n\nand, more",2\n',
        "windows": 'u1,"i\r\n1",1\r\nu2,i2,2\r\n',
        "short rows": "u1,i1,1\nu2,i2\n",
    }
    for name, body in bodies.items():
        text, dialect = Text(Path("x.csv"), f"user,item,time\n{body}".encode()), Dialect(",")
        head = heads.with_header(text, dialect)
        assert fast.read_fast(text, dialect, head, ("user", "item")) is not None, name


def test_a_stray_quote_is_said_with_its_line(tmp_path: Path) -> None:
    lines = [f"u{k}\ti{k}\t{k}\t{'a 12' + chr(34) if k in (4, 9) else 'plain'}" for k in range(20)]
    path = tmp_path / "plays.tsv"
    path.write_text("\n".join(["user\titem\ttime\ttitle", *lines]) + "\n")
    log = sources.read(path)
    assert len(log) == 20
    assert any("read as text (first at line 6)" in note for note in log.notes)


@pytest.mark.parametrize("needed", [True, False])
def test_a_quote_that_does_not_fit_between_commas_spoils_its_own_column_only(tmp_path: Path, needed: bool) -> None:
    path = tmp_path / "x.csv"
    path.write_text('user,item,time,title\n1,a,10,"open\n1,b,20,fine\n2,"c,30,x\n')
    text, dialect = Text(path, path.read_bytes()), Dialect(",")
    head = heads.with_header(text, dialect)
    if not needed:
        assert len(read_rows(text, dialect, head, ("user", "time"), "stop").frame) == 3
        return
    with pytest.raises(DataError, match=r"x\.csv line 4: a quote is opened and never closed"):
        read_rows(text, dialect, head, ("user", "item"), "stop")
    piece = read_rows(text, dialect, head, ("user", "item"), "skip")
    assert len(piece.frame) == 2 and [one.events for one in piece.dropped] == [1]


def test_rows_that_are_uneven_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time,rating\n1,a,10,5\n1,b,20\n1,c,30,5\n")
    log = sources.read(path)
    assert len(log) == 3 and any(
        "1 lines have fewer fields than the header's 4 (first at line 3)" in n for n in log.notes
    )
    path.write_text("1,a,10,5\n1,b,20\n1,c,30,5\n")
    with pytest.raises(DataError, match="line 2: 3 fields where there are 4 columns"):
        sources.read(path, user="1", item="2", time="3")
    log = sources.read(path, user="1", item="2", time="3", on_bad="skip")
    assert len(log) == 2 and [(one.reason, one.events) for one in log.dropped] == [("too few fields", 1)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("title", ["Thing", '"A thing"'])
@pytest.mark.parametrize("short", [False, True])
def test_a_row_with_too_many_fields_makes_no_event(tmp_path: Path, separator: str, title: str, short: bool) -> None:
    """Its user would be a piece of its title. With a short row beside it the separators add up as they should."""
    rows = [["time", "item", "title", "user"]]
    rows += [[f"2024-01-{day:02}", f"i{day}", title, f"u{day % 3}"] for day in range(1, 20)]
    rows[9] = ["2024-01-09", "i9", "Big", " red", "u0"]
    if short:
        rows[12] = ["2024-01-12", "i12", title]
    path = tmp_path / "x.csv"
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"line 10: 5 fields where there are 4 columns"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert set(log.user_ids.ids.tolist()) == {"u0", "u1", "u2"} and len(log) == 18 - short
    assert sum(one.events for one in log.dropped) == 1 + short


@pytest.mark.parametrize("quoted", ["a;b", "ab"])
def test_short_rows_are_said_of_a_file_with_a_quoted_field_too(tmp_path: Path, quoted: str) -> None:
    path = tmp_path / "x.csv"
    cell = f'"{quoted}"' if ";" in quoted else quoted
    rows = f"a;1;2025-01-13;1;{cell}\n\na;2;2025-01-14\nb;3;2025-01-15;3;4\nb;4;2025-01-16\n"
    path.write_text(f"user;item;time;qty;x\n{rows}")
    said = "x.csv: 2 lines have fewer fields than the header's 5 (first at line 4); what is missing is taken as empty"
    log = sources.read(path)
    assert len(log) == 4 and said in log.notes
    path.write_text(f"user;item;time;qty;x\n{rows}".replace("01-14", "01-14;;").replace("01-16", "01-16;;"))
    assert not any("fewer fields" in note for note in sources.read(path).notes)


def test_a_header_that_is_repeated_inside_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time\n1,a,10\nuser,item,time\n1,b,20\nuser,item,time\n1,c,soon\n")
    with pytest.raises(DataError, match="line 6: 'soon'"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert [(one.reason, one.events) for one in log.dropped] == [("the header line again", 2), ("not a time", 1)]
    assert log.dropped[0].detail.endswith("line 3")
