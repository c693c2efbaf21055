"""One run, whatever there is of it: trained once, gone on with, scored on test once; and how it ends, in one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import recollect
from recollect.artifact import CARD, ArtifactError, load
from recollect.config import ConfigError
from recollect.data import prepared
from recollect.data.log import DataError
from recollect.evaluate.ledger import Ledger
from recollect.study import child
from recollect.study.child import Brief, Order, outcome_of, work
from recollect.study.run import VALIDATION, Stopped, run
from recollect.study.scoring import SCORINGS, TEST, score
from recollect.study.settings import RunSettings
from recollect.train.fit import CHECKPOINT
from recollect.train.progress import Silent

from .material import small_log, small_settings

LOG = small_log()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared.save(LOG, tmp_path_factory.mktemp("log") / "log")


def test_an_order_survives_its_way() -> None:
    order = Order(small_settings(seed=3), Path("a b") / "ü", Path("log"), "test", ("said", "so"))
    assert Order.from_json(order.to_json()) == order and "\n" not in order.to_json()


def test_a_run_is_trained_and_scored_once(log: Path, tmp_path: Path) -> None:
    order = Order(small_settings(), tmp_path / "run", log, "validation")
    work(order, Silent())
    assert (order.folder / VALIDATION).is_file() and not (order.folder / TEST).exists()
    card = (order.folder / CARD).read_bytes()
    asked = Order(order.settings, order.folder, log, "test")
    work(asked, Silent())
    ranks = Ledger.load(order.folder / TEST)
    assert (ranks.rank == score(load(order.folder), LOG).rank).all()
    assert (ranks.runs, ranks.seed.tolist()) == (["xlstm-lsr"], [0] * len(ranks))
    before = (order.folder / TEST).stat().st_mtime_ns
    work(asked, Silent())
    assert (order.folder / CARD).read_bytes() == card and (order.folder / TEST).stat().st_mtime_ns == before
    assert len((order.folder / SCORINGS).read_text().splitlines()) == 1


def test_a_scoring_is_noted_before_its_ranks_are_kept(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order(small_settings("popularity"), tmp_path / "run", log, "test")

    def full(self: Ledger, path: Path) -> None:
        if path.name == TEST:
            raise DataError("no room")
        saved(self, path)

    saved = Ledger.save
    monkeypatch.setattr(Ledger, "save", full)
    with pytest.raises(DataError):
        work(order, Silent())
    assert (order.folder / SCORINGS).is_file() and not (order.folder / TEST).exists()


class Interrupts(Silent):
    def step(self, place: Any, steps: int) -> None:
        os.kill(os.getpid(), 2)


def test_what_was_interrupted_is_gone_on_with(log: Path, tmp_path: Path) -> None:
    order = Order(small_settings(), tmp_path / "run", log, "test")
    with pytest.raises(Stopped):
        work(order, Interrupts())
    assert (order.folder / CHECKPOINT).is_file()
    work(order, Silent())
    whole = run(small_settings(), tmp_path / "whole", log=LOG)
    for name, tensor in whole.trained.model.tensors().items():
        assert torch.equal(tensor, load(order.folder).model.tensors()[name]), name


def test_the_card_says_what_it_took(log: Path, tmp_path: Path) -> None:
    order = Order(small_settings(), tmp_path / "run", log, "validation")
    work(order, Silent())
    trained = load(order.folder)
    cost = trained.card["cost"]
    assert cost["parameters"] == sum(p.numel() for p in trained.model.parameters())  # type: ignore[attr-defined]
    assert cost["threads"] == torch.get_num_threads() and cost["peak bytes"] > 10**7 and cost["ranking seconds"] > 0
    assert cost["device"] and ("accelerator bytes" in cost) == torch.cuda.is_available()


def test_what_has_been_said_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    brief = Brief(("the log",), epochs=3)
    brief.note("the log")
    brief.note("the model")
    assert capsys.readouterr().err == "the model\n"


def raised(error: Exception, cause: Exception | None = None, hide: bool = False) -> Exception:
    try:
        try:
            if cause is not None:
                raise cause
        except ImportError:
            if hide:
                raise error from None
            raise error from cause
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize("hide", [True, False])
def test_a_missing_package_is_no_failure(hide: bool) -> None:
    lacks = raised(ConfigError("svd needs scikit-learn:\npip install recollect[classic]"), ImportError("sklearn"), hide)
    assert outcome_of(lacks) == {
        "state": "skipped",
        "reason": "svd needs scikit-learn: pip install recollect[classic]",
    }
    assert outcome_of(raised(ModuleNotFoundError("No module named 'x'")))["state"] == "skipped"
    assert outcome_of(raised(ConfigError("3 heads do not divide 8")))["state"] == "failed"
    assert outcome_of(raised(RuntimeError("odd"), ImportError("x"), hide))["state"] == "failed"


def test_how_it_ended_in_words() -> None:
    for stop in (Stopped(Path("x")), KeyboardInterrupt()):
        assert outcome_of(stop) == {"state": "stopped"}
    for error in (ConfigError("a"), DataError("a"), ArtifactError("a")):
        assert outcome_of(error) == {"state": "failed", "reason": "a"}
    for much in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory\nand so on")):
        assert "not enough memory" in outcome_of(much)["reason"]
    odd = outcome_of(raised(RuntimeError("two\nlines")))
    assert odd["reason"] == "unexpected RuntimeError: two lines" and "in raised" in odd["trace"]


def main_with(order: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    monkeypatch.setattr("sys.stdin", io.StringIO(order))
    monkeypatch.setattr(child, "_stop_with_whoever_ordered", lambda: None)
    kept = sys.stdout
    try:
        code = child.main()
    finally:
        sys.stdout = kept
    out = capsys.readouterr().out
    return code, json.loads(out)


def test_the_last_word_is_all_that_stands_on_standard_output(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talks(order: Order, report: Any) -> None:
        print("a library talks")
        if order.on == "test":
            raise ConfigError("no")

    monkeypatch.setattr(child, "work", talks)
    settings: RunSettings = small_settings("popularity")
    good, bad = (Order(settings, tmp_path / "run", log, on).to_json() for on in ("validation", "test"))  # type: ignore[arg-type]
    assert main_with(good, monkeypatch, capsys) == (0, {"state": "done"})
    assert main_with(bad, monkeypatch, capsys) == (1, {"state": "failed", "reason": "no"})
    assert main_with("", monkeypatch, capsys)[1]["state"] == "failed"


def test_it_stops_with_whoever_ordered_it(log: Path, tmp_path: Path) -> None:
    """A whole process, as `execute` starts it, whose standard input is closed while it trains."""
    settings = small_settings(epochs=10_000, patience=10_000, checkpoint_minutes=0)
    order = Order(settings, tmp_path / "run", log, "test")
    home = {**os.environ, "PYTHONPATH": str(Path(recollect.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "recollect.study.child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=home,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(order.to_json() + "\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not (order.folder / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.stdin.close()
    assert json.loads(process.stdout.read()) == {"state": "stopped"}
    assert process.wait(timeout=60) == 130
    assert (order.folder / CHECKPOINT).is_file() and not (order.folder / CARD).exists()
