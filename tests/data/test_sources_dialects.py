"""A log written in any dialect comes back event by event, or is refused in one line; it never comes back otherwise.

A dialect is a way of writing the same events: separator, quotes, encoding, header, form of time, line ends, packing,
order of columns, kind of ids. `TIME_FORMS` is the one list of forms of time; a new one is one more line there.
"""

from __future__ import annotations

import bz2
import csv
import dataclasses
import datetime as dt
import email.utils
import gzip
import io
import lzma
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.log import DataError

UTC = dt.UTC

TIME_FORMS: dict[str, Callable[[int], str]] = {
    "unix": str,
    "unix-ms": lambda time: str(time * 1000),
    "iso": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    "iso-t-z": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso-offset": lambda time: dt.datetime.fromtimestamp(time, dt.timezone(dt.timedelta(hours=2))).isoformat(),
    "iso-fraction": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.000"),
    "american": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%m/%d/%Y %H:%M:%S"),
    "american-pm": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%m/%d/%Y %I:%M:%S %p"),
    "german": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%d.%m.%Y %H:%M:%S"),
    "month-name": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%d %b %Y %H:%M:%S"),
    "digits": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%Y%m%d%H%M%S"),
    "rfc2822": lambda time: email.utils.format_datetime(dt.datetime.fromtimestamp(time, UTC)),
    "twitter": lambda time: dt.datetime.fromtimestamp(time, UTC).strftime("%a %b %d %H:%M:%S +0000 %Y"),
}
UNCLEAR = ("american", "american-pm", "german")
"""Forms whose day and month may be taken for each other, where no day of the column is above 12."""

PACKINGS: dict[str, Callable[[str, bytes], bytes]] = {
    "": lambda name, data: data,
    ".gz": lambda name, data: gzip.compress(data, mtime=0),
    ".bz2": lambda name, data: bz2.compress(data),
    ".xz": lambda name, data: lzma.compress(data),
    ".zst": lambda name, data: pa.compress(data, codec="zstd", asbytes=True),
    ".zip": lambda name, data: _zipped(name, data),
}

# Signs that a name of an id may be made of, and the encodings that have them all.
ALPHABETS = {
    "plain": ("abcXYZ0189-_.", ("utf-8", "utf-8-sig", "utf-16", "cp1252", "gbk")),
    "western": ("abcxyz019éüñßÅ", ("utf-8", "utf-8-sig", "utf-16", "cp1252")),
    "chinese": ("商品买家一二09ab", ("utf-8", "utf-8-sig", "utf-16", "gbk")),
    "any": ("aé商Ω0ж😀", ("utf-8", "utf-8-sig", "utf-16")),
}
WORDS_FOR_NOTHING = {"na", "n/a", "nan", "null", "none", "-", "nat", "inf"}
HEADERS = {
    "known": ("user_id", "item_id", "timestamp", "rating", "comment"),
    "shop": ("Customer ID", "StockCode", "InvoiceDate", "Price", "Note"),
    "odd": ("wer", "was", "wann", "wieviel", "bemerkung"),
}


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a log is written."""

    separator: str
    quoting: int
    encoding: str
    header: str
    order: tuple[int, ...]
    form: str
    ends: str
    packing: str
    ending: str
    last_end: bool
    blank: int
    repeated: bool


def _zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
        archive.writestr("README.txt", "about it")
    return out.getvalue()


def _ids(alphabet: str) -> st.SearchStrategy[str]:
    text = st.text(alphabet=alphabet, min_size=1, max_size=6)
    return text.filter(lambda one: one.lower() not in WORDS_FOR_NOTHING and one[0] not in "-." and one[-1] not in "-.")


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[tuple[str, str, int, str, str]], str]:
    """Events (user, item, time, rating, comment) and the alphabet of their text."""
    alphabet = draw(st.sampled_from(sorted(ALPHABETS)))
    kinds = {
        "numbers": st.integers(0, 5000).map(str),
        "zeros": st.integers(0, 999).map(lambda one: f"{one:05d}"),
        "coded": st.integers(0, 99).map(lambda one: f"P{one:03d}"),
        "text": _ids(ALPHABETS[alphabet][0]),
        "long": st.integers(10**12, 10**14).map(str),
        "spaced": _ids(ALPHABETS[alphabet][0]).map(lambda one: f"x {one}"),
        "signs": _ids(ALPHABETS[alphabet][0]).map(lambda one: f"a,{one};b|c\t'd\"e"),
    }
    users, items = (
        draw(st.lists(kinds[draw(st.sampled_from(sorted(kinds)))], min_size=2, max_size=6, unique=True)) for _ in "ui"
    )
    comments = st.text(alphabet="ab ,;|\"'\n" + ALPHABETS[alphabet][0][-1], max_size=12) | st.just("fine")
    row = st.tuples(
        st.sampled_from(users),
        st.sampled_from(items),
        st.integers(1_000_000_000, 1_700_000_000),
        st.sampled_from(["1", "2.5", "4", ""]),
        comments,
    )
    return draw(st.lists(row, min_size=4, max_size=25)), alphabet


@st.composite
def dialects(draw: st.DrawFn, alphabet: str) -> Dialect:
    return Dialect(
        separator=draw(st.sampled_from([",", "\t", ";", "|", "::"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        encoding=draw(st.sampled_from(ALPHABETS[alphabet][1])),
        header=draw(st.sampled_from([*HEADERS, "none"])),
        order=tuple(draw(st.permutations(range(5)))),
        form=draw(st.sampled_from(sorted(TIME_FORMS))),
        ends=draw(st.sampled_from(["\n", "\r\n", "\r"])),
        packing=draw(st.sampled_from(sorted(PACKINGS))),
        ending=draw(st.sampled_from([".csv", ".tsv", ".txt", ".dat", ".log", ""])),
        last_end=draw(st.booleans()),
        blank=draw(st.integers(0, 2)),
        repeated=draw(st.booleans()),
    )


def write(
    rows: list[tuple[str, str, int, str, str]], dialect: Dialect, folder: Path
) -> tuple[str, Path, dict[str, Any]]:
    """The text, the file, and the options that a user would give with it."""
    names = HEADERS.get(dialect.header)
    inner = "\r" if dialect.ends == "\r" else "\n"  # an old Mac ends lines inside fields as it does those of the file
    cells = [
        [user, item, TIME_FORMS[dialect.form](time), rating, note.replace("\n", inner)]
        for user, item, time, rating, note in rows
    ]
    table = [[row[k] for k in dialect.order] for row in cells]
    title = [] if names is None else [[names[k] for k in dialect.order]]
    middle = len(table) // 2 if dialect.repeated else 0
    lines = [*title, *table[:middle], *(title if middle else []), *table[middle:]]
    text = _cut(lines, dialect)
    if dialect.last_end:
        text += dialect.ends * (1 + dialect.blank)
    name = f"log{dialect.ending}"
    path = folder / f"{name}{dialect.packing}"
    path.write_bytes(PACKINGS[dialect.packing](name or "log", text.encode(dialect.encoding)))
    options: dict[str, Any] = {}
    place = {column: str(at + 1) for at, column in enumerate(dialect.order)}
    if names is None:
        options |= {"user": place[0], "item": place[1], "time": place[2]}
    elif dialect.header == "odd":
        options |= {"user": names[0], "item": names[1], "time": names[2]}
    if dialect.encoding == "gbk":
        options["encoding"] = "gbk"
    return text, path, options


def _cut(lines: list[list[str]], dialect: Dialect) -> str:
    """The table as text, without the last line's end."""
    if dialect.separator == "::":  # it is never quoted, so that it cannot stand in a field, nor can a line's end
        plain = [[field.replace("::", ".").replace("\n", " ").replace("\r", " ") for field in line] for line in lines]
        return dialect.ends.join("::".join(line) for line in plain)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=dialect.separator, quoting=dialect.quoting, lineterminator=dialect.ends)
    writer.writerows(
        [[_native(field) if dialect.quoting == csv.QUOTE_NONNUMERIC else field for field in line] for line in lines]
    )
    return out.getvalue().removesuffix(dialect.ends)


def _native(field: str) -> Any:
    return int(field) if field.isdecimal() and str(int(field)) == field else field


def expected(rows: list[tuple[str, str, int, str, str]]) -> dict[str, list[tuple[str, int]]]:
    """user -> (item, time) in the order of time, equal times in the order of the file."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for user, item, time, _, _ in rows:
        found[user].append((item, time))
    return {user: sorted(events, key=lambda one: one[1]) for user, events in found.items()}


def read_back(path: Path, options: dict[str, Any]) -> tuple[dict[str, list[tuple[str, int]]], list[str]]:
    """The events of each user, and why rows were left out."""
    log = sources.read(path, **options)
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    users, items = log.user_ids.decode(log.users).tolist(), log.item_ids.decode(log.items).tolist()
    for user, item, time in zip(users, items, log.times.tolist(), strict=True):
        found[str(user)].append((str(item), time))
    return dict(found), [one.reason for one in log.dropped]


def check(data: st.DataObject, folder: Path) -> None:
    rows, alphabet = data.draw(logs())
    dialect = data.draw(dialects(alphabet))
    for old in folder.iterdir():
        old.unlink()
    text, path, options = write(rows, dialect, folder)
    shown = f"{dialect} {options}\n{text!r}"
    try:
        found, dropped = read_back(path, options)
    except DataError as refused:
        message = str(refused)
        assert "\n" not in message and path.name in message and len(message) < 600
        assert doubtful(dialect, message, text), f"{message}\n{shown}"
        event("refused")
        return
    assert not set(dropped) - {"nothing in user, item and time", "nothing in user and item", "the header line again"}, (
        f"{dropped}\n{shown}"
    )
    assert found == expected(rows), shown
    event("read")


def doubtful(dialect: Dialect, message: str, text: str) -> bool:
    """Whether a refusal is right. Polars unpacks zstd around UTF-8 alone, where nothing else is installed; Western
    letters side by side, without a word of text around them, may be Chinese as well; who writes `::` quotes nothing,
    so that a quote there may be any sign."""
    if dialect.separator == "::" and '"' in text:
        return True
    if dialect.form in UNCLEAR and "day-first" in message:
        return True
    if dialect.packing == ".zst" and not dialect.encoding.startswith("utf-8"):
        return "zstd" in message
    return dialect.encoding == "cp1252" and "not UTF-8" in message and "--encoding" in message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_come_back_from_any_dialect(data: st.DataObject, folder: Path) -> None:
    check(data, folder)


@pytest.mark.long
@settings(max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_come_back_from_two_thousand_dialects(data: st.DataObject, folder: Path) -> None:
    check(data, folder)
