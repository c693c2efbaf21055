"""JSON in its forms gives one log: lines, a list, Python's dictionaries; other shapes are named with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.data import sources
from recollect.data.log import DataError

ROWS = [{"user": f"u{k % 3}", "item": k, "time": 1_600_000_000 + k, "note": 'it\'s "so"'} for k in range(8)]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.txt"])
def test_every_form_is_the_same_log(name: str, tmp_path: Path) -> None:
    forms = {
        "lines": "\n".join(map(json.dumps, ROWS)) + "\n",
        "empty lines": "\n\n".join(map(json.dumps, ROWS)),
        "commas": ",\n".join(map(json.dumps, ROWS)),
        "list": json.dumps(ROWS),
        "list, indented": json.dumps(ROWS, indent=2),
        "python": "\n".join(map(repr, ROWS)),
        "python 2": "\n".join("{" + ", ".join(f"u{k!r}: {v!r}" for k, v in row.items()) + "}" for row in ROWS),
    }
    logs = {}
    for form, text in forms.items():
        (tmp_path / name).write_text(text)
        logs[form] = sources.read(tmp_path / name)
    assert len({log.digest for log in logs.values()}) == 1
    assert [form for form, log in logs.items() if any("Python" in note for note in log.notes)] == ["python", "python 2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"user": {"0": 1}, "item": {"0": 2}}', r"to_json\(orient='records', lines=True\)"),
        ('{"data": [{"user": 1, "item": 2}]}', "a list of objects in 'data'"),
        ('{\n"data": [\n{"user": 1, "item": 2}]}', "a list of objects in 'data'"),
        ('[{"user": 1, "item": 2},\n{"user": 1, "it', "line 2: a list that is not whole JSON"),
        ('[{"user": 1, "item": 2}, 5]', "entry 2: not a JSON object"),
        ("[1, 2]", "entry 1: not a JSON object"),
        ('["u", "a", 5]\n["u", "b", 6]\n', "each line is a list without names of columns"),
        ('{\n "user": 1,\n "item": 2\n}\n{\n "user": 1,\n "item": 3\n}\n', "write one a line, as by jq -c . x.json"),
        ('{"user": 1, "item": 2}{"user": 1, "item": 3}', "write one a line, as by jq -c . x.json"),
        ("{'user': 1, 'item': 2}\n{'user': 1, 'it\n", "line 2: not JSON, nor a whole dictionary of Python"),
    ],
)
def test_other_shapes_say_what_to_do(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=what) as error:
        sources.read(tmp_path / "x.json")
    assert "\n" not in str(error.value)


def test_entries_of_a_list_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([*ROWS[:2], 5, *ROWS[2:], None]))
    log = sources.read(tmp_path / "x.json", on_bad="skip")
    assert len(log) == len(ROWS) and [(one.reason, one.events) for one in log.dropped] == [("not a JSON object", 2)]
    assert log.dropped[0].detail.endswith("entry 3")


@given(lines=st.lists(st.sampled_from(["good", "null", "5", "[]", "{}", "{", ""]), min_size=1, max_size=12))
def test_every_line_is_an_event_or_is_counted(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("json") / "x.jsonl"
    good = json.dumps(ROWS[0])
    path.write_text("\n".join([good, *(good if line == "good" else line for line in lines)]) + "\n")
    log = sources.read(path, on_bad="skip")
    filled = 1 + sum(bool(line) for line in lines)
    assert len(log) == 1 + lines.count("good")
    assert len(log) + sum(one.events for one in log.dropped) == filled


def test_a_list_of_pythons_is_the_same_log(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(ROWS))
    (tmp_path / "y.json").write_text(repr(ROWS))
    python = sources.read(tmp_path / "y.json")
    assert python.digest == sources.read(tmp_path / "x.json").digest
    assert any("Python" in note for note in python.notes)


HALVES = [
    '{"user": "a", "item": "x\\ud800", "time": "2024-05-01"}',
    '{"user": "b", "item": "y\\ud83d\\ude00", "time": "2024-05-02", "title": "cut \\ud83d"}',
    '{"user": "b", "item": "x", "time": "2024-05-03"}',
]


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
@pytest.mark.parametrize("lone", ["\\ud800", "\\uDC00", "\\ud800\\ud800\\udc00"])
def test_half_of_a_sign_is_no_text(lone: str, ending: str, tmp_path: Path) -> None:
    """A NUL in its place would make another id of it, which no file has."""
    lines = [HALVES[0].replace("\\ud800", lone), *HALVES[1:]]
    path = tmp_path / f"log{ending}"
    path.write_text("\n".join(lines) if ending == ".jsonl" else f"[{','.join(lines)}]")
    unit = "line 1" if ending == ".jsonl" else "entry 1"
    with pytest.raises(DataError, match=f"{unit}: 'item' holds half of a sign .*--on-bad skip"):
        sources.read(path)
    log = sources.read(path, on_bad="skip")
    assert log.item_ids.ids.tolist() == ["x", "y😀"]  # the title, which is not read, is no reason to leave a row out
    assert [(one.reason, one.events, one.detail) for one in log.dropped] == [
        ("half of a sign", 1, f"first at {path} {unit}")
    ]
