"""What is shown: a bar on a terminal, one line an epoch elsewhere, one display in a notebook."""

from __future__ import annotations

import re
import sys
import types
from typing import Any

import pytest

from recollect.train.checkpoint import Progress
from recollect.train.progress import Console, Notebook, Silent, at_step, default_reporter

ROW = {"epoch": 2, "loss": 3.25, "targets": 5000, "train_seconds": 2.0}
CHECKED = ROW | {"hr@10": 0.25, "ndcg@10": 0.125, "validate_seconds": 0.5}


def test_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(epochs=9)
    place = Progress(epoch=2, best_epoch=2, step=3)
    console.step(place, 10)
    console.epoch(place, CHECKED)
    console.epoch(place, ROW)
    checked, plain = capsys.readouterr().err.splitlines()
    assert checked.split("  ") == [
        "epoch 2/9", "loss 3.2500", "2.0 s", "2,500 events/s",
        "validation HR@10 0.2500", "NDCG@10 0.1250 (0.5 s)", "best so far",
    ]  # fmt: skip
    assert checked.startswith(plain)


def test_only_the_best_epoch_is_called_best(capsys: pytest.CaptureFixture[str]) -> None:
    Console().epoch(Progress(epoch=2, best_epoch=1), CHECKED)
    assert "best so far" not in capsys.readouterr().err


def test_resuming_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    Console().resumed(Progress(epoch=1, step=4))
    assert "epoch 2, step 5" in capsys.readouterr().err


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.note("x"), silent.step(Progress(), 1), silent.epoch(Progress(), ROW), silent.resumed(Progress())
    assert capsys.readouterr() == ("", "")


def test_a_bar_that_is_left_gives_the_cursor_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, then
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    console = Console()
    console.step(Progress(step=1, epoch_targets=10, epoch_seconds=1.0), 10)
    assert hidden in capsys.readouterr().err
    console.close()
    assert shown in capsys.readouterr().err
    console.close()
    assert hidden not in capsys.readouterr().err


def test_a_note_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Console().note("log [a94059be68ec] :star: [bold]")
    assert capsys.readouterr().err == "log [a94059be68ec] :star: [bold]\n"


class Kernel:
    """What a notebook has: a shell with a kernel, and displays that can be written anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[dict[str, str]] = []
        self.displays = 0
        package, inside = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        package.get_ipython = lambda: self.shell  # type: ignore[attr-defined]
        inside.display = self.display  # type: ignore[attr-defined]
        self.shell: Any = types.SimpleNamespace(kernel=object())
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", inside)

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Kernel:
        self.displays += 1
        self.update(data, raw=raw)
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        self.shown.append(data)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_the_reporter_fits_the_place(kernel: Kernel) -> None:
    assert isinstance(default_reporter(), Notebook)
    kernel.shell = types.SimpleNamespace()  # ipython on a terminal
    assert isinstance(default_reporter(), Console)
    kernel.shell = None
    assert isinstance(default_reporter(), Console)


def test_without_a_notebook_nothing_of_it_is_loaded() -> None:
    assert isinstance(default_reporter(7), Console)
    assert "IPython" not in sys.modules


def test_a_notebook_has_one_display_that_holds_the_whole_run(
    kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = Notebook(epochs=3)
    notebook.note("gru4rec: 12 parameters")
    notebook.SECONDS = 0.0
    notebook.step(Progress(step=4, epoch_loss=8.0, epoch_targets=4, epoch_seconds=2.0), 10)
    assert "<progress value='4' max='10'>" in kernel.shown[-1]["text/html"]
    assert "loss 2.000" in kernel.shown[-1]["text/html"]
    notebook.epoch(Progress(epoch=1), ROW | {"epoch": 1})
    notebook.epoch(Progress(epoch=2, best_epoch=2), CHECKED)
    last = kernel.shown[-1]
    assert "<progress" not in last["text/html"]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", last["text/html"]) == [
        "1", "3.2500", "2.0", "", "",
        "2", "3.2500", "2.0", "0.2500", "0.1250",
    ]  # fmt: skip
    assert last["text/html"].count("font-weight:bold") == 5  # the best epoch, and no other
    assert last["text/plain"].splitlines()[0] == "gru4rec: 12 parameters"
    assert last["text/plain"].splitlines()[-1].split() == ["2", "3.2500", "2.0", "0.2500", "0.1250"]
    assert kernel.displays == 1
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_not_drawn_at_each_step(kernel: Kernel) -> None:
    notebook = Notebook()
    for step in range(1, 500):
        notebook.step(Progress(step=step), 500)
    assert len(kernel.shown) < 100


def test_a_notebook_escapes_what_it_is_told(kernel: Kernel) -> None:
    Notebook().note("log <script>alert(1)</script> & more")
    assert "<div>log &lt;script&gt;alert(1)&lt;/script&gt; &amp; more</div>" in kernel.shown[-1]["text/html"]


def test_a_resumed_run_shows_the_epochs_before(kernel: Kernel) -> None:
    Notebook().resumed(Progress(epoch=2, best_epoch=2, history=[ROW | {"epoch": 1}, CHECKED]))
    assert "0.1250" in kernel.shown[-1]["text/plain"] and "epoch 3, step 1" in kernel.shown[-1]["text/plain"]


def test_time_left_is_what_steps_took() -> None:
    # 25 of 100 steps in 5 s: 15 s are left of the epoch. Three epochs and a quarter took 130 s, validation included.
    place = Progress(epoch=3, step=25, seconds=130.0, epoch_loss=9.0, epoch_targets=3, epoch_seconds=5.0)
    words = at_step(place, 100, epochs=10).split("  ")
    assert words == ["epoch 4/10", "loss 3.000", "1 events/s", "0:15 left of the epoch", "at most 4:30 of the run"]
    assert "of the run" not in at_step(Progress(step=1, seconds=1.0), 10, epochs=10)  # nobody knows it yet
    assert "of the run" not in at_step(place, 100, epochs=None)
