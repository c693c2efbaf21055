"""Text that is cut in a way nobody could guess, or is no table of events, is answered with what to type."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from recollect.data import sources
from recollect.data.log import DataError

EVENTS = [(f"u{k % 7}", f"i{k * k % 11}", 1_700_000_000 + 3600 * k) for k in range(60)]


def _refused(path: Path, text: str, **options: str) -> str:
    path.write_text(text)
    with pytest.raises(DataError) as error:
        sources.read(path, **options)  # type: ignore[arg-type]
    message = str(error.value)
    assert "\n" not in message and message.startswith(str(path))
    return message


def test_an_access_log_names_its_columns_and_is_read_by_them(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    lines = [
        f"10.0.0.{user[1:]} - - [{dt.datetime.fromtimestamp(time, dt.UTC):%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET /{item} HTTP/1.1" 200 512 "https://example.org/a b" "Mozilla/5.0 (X11; Linux)"'
        for user, item, time in EVENTS
    ]
    message = _refused(path, "\n".join(lines) + "\n")
    assert "--user 1 --item 6 --time 4,5" in message
    log = sources.read(path, user="1", item="6", time="4,5")
    found = zip(log.user_ids.decode(log.users), log.item_ids.decode(log.items), log.times, strict=True)
    events = [(f"10.0.0.{user[1:]}", f"GET /{item} HTTP/1.1", time) for user, item, time in EVENTS]
    expected = sorted(events, key=lambda one: (one[0], one[2]))
    assert [(str(user), str(item), int(time)) for user, item, time in found] == expected


def _text(
    separator: str = ",", *, header: bool = True, end: str = "", events: list[tuple[str, str, int]] = EVENTS
) -> str:
    rows = [("user_id", "item_id", "timestamp")] if header else []
    return "".join(separator.join(map(str, row)) + end + "\n" for row in [*rows, *events])


@pytest.fixture
def digest(tmp_path: Path) -> str:
    path = tmp_path / "usual.csv"
    path.write_text(_text())
    return sources.read(path).digest


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("sign", "typed"), [("\x01", "\\x01"), ("\x1f", "\\x1f"), ("^", "^"), ("~", "~"), ("¦", "¦")])
def test_a_seldom_separator_is_named_as_it_is_typed(
    sign: str, typed: str, header: bool, tmp_path: Path, digest: str
) -> None:
    path = tmp_path / "log.csv"
    message = _refused(path, _text(sign, header=header))
    assert message.endswith(f"--separator '{typed}'")
    columns = {} if header else {"user": "1", "item": "2", "time": "3"}
    for said in (sign, typed):
        assert sources.read(path, separator=said, **columns).digest == digest  # type: ignore[arg-type]


def test_a_seldom_separator_is_seen_beside_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    rows = [f"{user}{{0}}{item}{{0}}a, b, c{{0}}{dt.datetime.fromtimestamp(time)}" for user, item, time in EVENTS]
    for sign, typed in (("\x01", "\\x01"), ("^", "^")):
        text = "\n".join(rows).replace("a, b, c", "a" if sign == "^" else "a, b, c").format(sign)
        assert f"--separator '{typed}'" in _refused(path, text)


def test_a_sign_within_words_is_no_separator(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{user} #{item}\n" for user, item, _ in EVENTS))
    assert sources.read(path).item_ids.ids.tolist() == sorted({f"#{item}" for _, item, _ in EVENTS})


def _sequences(separator: str) -> str:
    lines = [[f"u{k}", *(f"i{(k + step) % 9}" for step in range(2 + k % 7))] for k in range(30)]
    return "".join(separator.join(line) + "\n" for line in lines)


@pytest.mark.parametrize("separator", [" ", ",", "\t", ";"])
@pytest.mark.parametrize("first", ["", "A7 B000X 77q B0\n", "user item\n"])
def test_lines_of_uneven_width_name_the_format_of_sequences(separator: str, first: str, tmp_path: Path) -> None:
    text = first.replace(" ", separator) + _sequences(separator)
    assert "if each line is one user with all of the items: --format sequences" in _refused(tmp_path / "log.csv", text)


def test_two_lines_are_enough_where_nothing_else_is_known(tmp_path: Path) -> None:
    for text in ("1 5 6 7\n2 5\n", "u1 a b c\nu2 a\n"):
        assert "--format sequences" in _refused(tmp_path / "log.txt", text)


def test_a_wrong_name_says_nothing_of_sequences(tmp_path: Path) -> None:
    message = _refused(tmp_path / "log.csv", "user_id,item_id\n" + _sequences(","), user="usr", item="item_id")
    assert "did you mean" in message and "sequences" not in message


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
@pytest.mark.parametrize("ends", [1, 3])
def test_separators_that_end_every_row_are_no_column(separator: str, ends: int, tmp_path: Path, digest: str) -> None:
    path = tmp_path / "log.csv"
    head, *rows = _text(separator).splitlines()
    path.write_text("\n".join([head, *(row + separator * ends for row in rows)]) + "\n")
    log = sources.read(path)
    assert log.digest == digest and not log.dropped and not [note for note in log.notes if "fields" in note]


def test_separators_that_end_some_rows_are_no_column(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "log.csv"
    head, *rows = _text().splitlines()
    for ended in (range(0, 60, 2), range(1, 60, 2), [59]):
        path.write_text("\n".join([head, *(row + "," * (k in ended) for k, row in enumerate(rows))]) + "\n")
        assert sources.read(path).digest == digest
    long = [row for row in rows for _ in range(10)]  # of which the last is beyond what is looked at
    path.write_text("\n".join([head, *long[:-1], long[-1] + ","]) + "\n")
    assert len(sources.read(path)) == 600


def test_a_header_that_is_repeated_is_known_where_rows_end_in_separators(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "log.csv"
    head, *rows = _text().splitlines()
    rows = [f"{row}," for row in rows]
    path.write_text("\n".join([head, *rows[:30], head, *rows[30:]]) + "\n")
    log = sources.read(path)
    assert log.digest == digest and [(one.reason, one.events) for one in log.dropped] == [("the header line again", 1)]


def test_something_behind_the_separator_at_the_end_of_a_row_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    head, *rows = _text().splitlines()
    rows = [f"{row}," for row in rows] * 10
    rows[450] += "more"
    text = "\n".join([head, *rows]) + "\n"
    assert "line 452: more fields than the 3 columns of the header" in _refused(path, text)
    log = sources.read(path, on_bad="skip")
    assert len(log) == 599
    assert [(one.reason, one.events, one.detail) for one in log.dropped] == [
        ("too many fields", 1, f"first at {path} line 452")
    ]


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize("options", [{}, {"time": "none"}, {"on_bad": "skip"}])
def test_a_second_header_in_another_order_is_refused_by_its_line(
    order: tuple[int, ...], options: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    names = ("user_id", "item_id", "timestamp")
    below = [",".join(str(row[place]) for place in order) for row in (names, *EVENTS[20:])]
    message = _refused(path, _text(events=EVENTS[:20]) + "\n".join(below) + "\n", **options)
    assert "line 22: a second header, with the columns in another order" in message


def test_ids_that_are_names_of_columns_are_ids(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n" + "".join(f"user,{tag},{k}\n" for k, tag in enumerate(("item", "time", "a"))))
    assert sources.read(path, time_format="unix", header=True).item_ids.ids.tolist() == ["a", "item", "time"]


ALIGNED = {
    "left": "{0:<9} {1:<9} {2:<12}",
    "right": "{0:>9} {1:>9} {2:>12}",
    "with an index": "{3:<4} {0:>9} {1:>9} {2:>12}",
}


@pytest.mark.parametrize("form", ALIGNED)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_columns_that_are_aligned_by_blanks_are_read(form: str, ends: str, tmp_path: Path, digest: str) -> None:
    path = tmp_path / "log.txt"
    rows = [("user_id", "item_id", "timestamp", ""), *((*event, k) for k, event in enumerate(EVENTS))]
    path.write_bytes("".join(ALIGNED[form].format(*row) + ends for row in rows).encode())
    log = sources.read(path)
    assert log.digest == digest and any("columns are aligned by blanks" in note for note in log.notes)
    path.write_bytes("".join(ALIGNED[form].format(*row) + ends for row in [*rows[:41], ("u", "i", "soon", 0)]).encode())
    with pytest.raises(DataError, match=r"line 42: 'soon' in column 'timestamp'"):
        sources.read(path)


def test_where_blanks_do_not_tell_the_columns_nothing_is_shifted(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    lines = [ALIGNED["left"].format(*row) for row in [("user_id", "item_id", "timestamp"), *EVENTS]]
    gap = [*lines[:50], ALIGNED["left"].format("u1", "", 1_700_000_000), *lines[50:]]
    assert "line 51: not 3 parts between blanks" in _refused(path, "\n".join(gap))
    dots = [*lines[:30], ALIGNED["left"].format("..", "...", "..."), *lines[30:], "", "[900 rows x 3 columns]"]
    assert "line 31: a row of dots stands for rows that were left out" in _refused(path, "\n".join(dots))
    titled = [f"{line}  {title}" for line, title in zip(lines, ["title", *["The Lion", "Up", "Big"] * 20], strict=True)]
    assert "to_csv" in _refused(path, "\n".join(titled))
