"""What a session and a notebook show: aligned, escaped, true, and never dear."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recollect import artifact
from recollect.contracts import Catalog, Events, State
from recollect.data.histories import Split
from recollect.data.log import EventLog, Table, build_log
from recollect.data.splits import loo
from recollect.display import Display, Displayed, printable
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.recommend import Answer, Recommendation, recommend
from recollect.train.fit import Trained, fit

ATTACK = "<script>alert('x')</script>\n<img src=http://elsewhere/y onerror=z>"


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self._inside = False
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in ("td", "th"):
            self.cells.append("")
        self._inside = tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._inside:
            self.cells[-1] += data


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), CELLS, CELLS)
def test_anything_is_shown_and_nothing_is_run(rows: list[tuple[str, str]], title: str, note: str) -> None:
    shown = Display(title, [("fact", note)], ["item", ">score"], rows, [note])
    read = Reader(shown.html())
    assert read.tags <= {"div", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert read.attributes <= {"style"}
    # A browser reads carriage returns as line ends and drops NUL; all else comes back as it was.
    body = read.cells[4:]
    told = [cell for row in rows for cell in row]
    assert [cell.replace("\r\n", "\n") for cell in body] == [cell.replace("\r\n", "\n") for cell in told]
    assert len(shown.text().splitlines()) == 1 + 1 + 1 + len(rows) + 1  # no title breaks a line


def test_columns_stand_under_each_other() -> None:
    shown = Display("three", (), ["title", ">logit"], [["Amélie", "1.5"], ["千と千尋", "-12.25"], ["e\u0301", "0"]])
    lines = shown.text().splitlines()[1:]
    ends = {
        sum(2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.combining(c) == 0 for c in x) for x in lines
    }
    assert len(ends) == 1
    assert lines[0].split() == ["title", "logit"]


def test_a_long_cell_is_cut() -> None:
    assert printable("x" * 100, 10) == "xxxxxxx..."
    assert printable("a\x1b[31mb") == "a?[31mb"


@pytest.fixture(scope="module")
def log() -> EventLog:
    users, items = np.repeat(np.arange(30), 6), (np.arange(180) * 7) % 11
    made = build_log(users, items, np.arange(180) * 3600, name="shop")
    titles = np.array([ATTACK, *(f"Title {k}" for k in range(1, 11))], dtype=object)
    return EventLog(**{**vars(made), "item_table": Table({"title": titles})})


@pytest.fixture(scope="module")
def split(log: EventLog) -> Split:
    return loo(log)


@pytest.fixture(scope="module")
def trained(split: Split) -> Trained:
    return fit("gru4rec", split, {"epochs": 1}, model={"width": 8})


@pytest.fixture(scope="module")
def ledger(trained: Trained, log: EventLog, split: Split) -> Ledger:
    def one(seed: int) -> Ledger:
        return rank(trained.model, log, split.test, seen="hidden", run="gru", split="loo, test", seed=seed)

    return concat([one(0), one(1)])


def facts(shown: object) -> dict[str, str]:
    """The lines of a display, by their first word or words."""
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in repr(shown).splitlines()[1:])
    return {pair[0]: pair[-1] for pair in pairs}


def test_a_log(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def dear(self: EventLog) -> str:
        raise AssertionError("the digest reads every event")

    monkeypatch.setattr(EventLog, "digest", property(dear))
    told = facts(log)
    assert (told["users"], told["items"], told["events"]) == ("30", "11", "180")
    assert told["of a user"] == "median 6, most 6"
    assert told["time"].startswith("1970-01-01T00:00:00 to 1970-01-08T11:00:00")
    assert "EventLog shop" in repr(log) and "Title 7" in repr(log)
    assert "&lt;script&gt;" in log._repr_html_()
    none = build_log(np.zeros(0, np.int64), np.zeros(0, np.int64), None)
    assert facts(none)["events"] == "0" and facts(none)["time"] == "none, only an order"


def test_a_split(split: Split) -> None:
    assert facts(split) == {
        "training": "120 events of 30 users",
        "validation": "30 targets of 30 users",
        "test": "30 targets of 30 users",
    }


def test_a_ledger_and_its_metrics(ledger: Ledger) -> None:
    line = ledger.protocols["gru"].line()
    assert line in repr(ledger) and "Ledger of 60 ranks" in repr(ledger)
    assert re.search(r"^  gru +0, 1 +30 +30$", repr(ledger), re.MULTILINE)
    metrics = measure(ledger)
    assert line in repr(metrics)
    read = Reader(metrics._repr_html_()).cells
    for name in ("hr@5", "ndcg@20", "map"):
        assert any(cell.startswith(metrics.text(name)) for cell in read), name
    assert repr(metrics).count("seeds ±") == len(metrics.values)


def test_an_answer(trained: Trained, log: EventLog) -> None:
    (answer,) = recommend(trained.model, log.item_ids, [[1, 2, 99]], titles=log.titles(), k=11)
    lines = repr(answer).splitlines()
    assert lines[1].split() == ["rank", "item", "title", "logit", "probability"]
    assert lines[2].split()[:2] == ["1", str(answer[0].item)]
    assert lines[-1] == "  not known, so skipped: 99"
    assert len(lines) == 2 + len(answer) + 1
    read = Reader(answer._repr_html_())
    assert ATTACK in read.cells and "script" not in read.tags
    bare = Answer((Recommendation(1, "i1", "i1", -0.5, None),))
    assert repr(bare).splitlines()[1].split() == ["rank", "item", "logit"]


def test_what_was_trained_and_what_was_kept(trained: Trained, log: EventLog, tmp_path: Path) -> None:
    assert facts(trained)["model"] == "gru4rec" and facts(trained)["epochs"] == "1, the best 1"
    count = f"{sum(tensor.numel() for tensor in trained.model.state_dict().values()):,}"  # type: ignore[attr-defined]
    folder = artifact.save(
        tmp_path / "model",
        trained.model,
        log.item_ids,
        {"model": {"name": "gru4rec", "width": 8}},
        about={"data": {"name": "shop", "digest": "abc"}},
    )
    kept = artifact.load(folder)
    told = facts(kept)
    assert told["parameters"] == facts(trained)["parameters"] == count
    assert told["model"] == f"gru4rec [{kept.digest}]" and told["data"] == "shop [abc]"
    assert told["folder"] == str(folder) and told["items"] == "11"


def test_small_values_say_their_sizes(log: EventLog, split: Split) -> None:
    state = State({"recent": torch.zeros(3, 8, dtype=torch.int64), "cell": torch.zeros(3, 2, 2)})
    assert repr(state).splitlines() == [
        "State of 3 users, 80 bytes each",
        "  recent  [8] int64",
        "  cell    [2, 2] float32",
    ]
    assert repr(State({})) == "State of nothing"
    events = Events.of([[1, 2], [3]], [[5, 6], [7]])
    assert repr(events) == "Events(2 users, 3 events in 2 cells each: items, times)"
    assert repr(Catalog(5, np.array([0, 1, 2, 0, 4]))) == "Catalog(4 items, 7 events)"
    assert repr(log.item_ids) == "Vocabulary(11 ids, integers, codes from 1: 0, 1, 2, ...)"
    assert repr(split.train) == "Ragged(30 rows, 120 events, at most 4 in a row)"


def test_every_display_is_short(log: EventLog, split: Split, trained: Trained, ledger: Ledger) -> None:
    for shown in (log, split, trained, ledger, measure(ledger)):
        assert isinstance(shown, Displayed)
        assert len(repr(shown).splitlines()) <= 15 and "array(" not in repr(shown)
        assert "http" not in shown._repr_html_().replace("http://elsewhere", "")
