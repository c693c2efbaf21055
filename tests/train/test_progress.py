"""What is shown: one line an epoch where output is no terminal."""

from __future__ import annotations

import pytest

from recollect.train.checkpoint import Progress
from recollect.train.progress import Console, Silent

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
