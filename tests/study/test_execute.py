"""Children in order and side by side, each ending in its own way; a stub that trains nothing stands for a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recollect.study import execute as module
from recollect.study.execute import Failure, Halted, execute
from recollect.study.plan import Job
from recollect.train.progress import Silent

from .material import small_settings

STUB = """
import json, os, pathlib, signal, sys, time
order = json.loads(sys.stdin.readline())
folder = pathlib.Path(order["folder"])
folder.mkdir(parents=True, exist_ok=True)
act = order["settings"]["train"]["epochs"]
def mark(what):
    (folder / what).write_text(str(time.monotonic()))
def say(**words):
    print(json.dumps(words), flush=True)
mark("begun")
(folder / "threads").write_text(os.environ.get("OMP_NUM_THREADS", "unset"))
(folder / "gpu").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "unset"))
print("progress", file=sys.stderr)
if act == 1:
    print("a library talks", flush=True)
    time.sleep(0.3)
    mark("ended")
    say(state="done")
elif act == 2:
    say(state="failed", reason="no luck", trace="where")
    sys.exit(1)
elif act == 3:
    say(state="skipped", reason="not installed")
    sys.exit(1)
elif act == 4:
    os.kill(os.getpid(), signal.SIGKILL)
elif act == 5:
    sys.exit(7)
elif act == 6:  # until its order ends
    sys.stdin.read()
    mark("stopped")
    say(state="stopped")
    sys.exit(130)
elif act == 7:  # for ever
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(600)
"""
DONE, FAILED, SKIPPED, KILLED, WORDLESS, WAITS, DEAF = range(1, 8)


class Notes(Silent):
    def __init__(self) -> None:
        self.lines = list[str]()

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "stub_of_a_run.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.setattr(module, "CHILD", "stub_of_a_run")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def jobs(folder: Path, *acts: int, model: str = "popularity") -> list[Job]:
    """What each job's stub does stands in its number of epochs."""
    return [
        Job(model, small_settings(model, seed=seed, epochs=act), folder / model / f"seed-{seed}", True)
        for seed, act in enumerate(acts)
    ]


def do(todo: list[Job], at_once: int = 1, total: int = 0, notes: Notes | None = None) -> dict[str, Failure | None]:
    ends: dict[str, Failure | None] = {}
    execute(
        todo,
        total=total or len(todo),
        log=Path("log"),
        on="test",
        at_once=at_once,
        said=(),
        report=notes or Notes(),
        ended=lambda job, failure: ends.__setitem__(job.label, failure),
    )
    return ends


def test_runs_side_by_side_are_spread_over_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(module, "visible_gpus", lambda: ["2", "5"])
    todo, notes = jobs(tmp_path, DONE, DONE, DONE, DONE), Notes()
    do(todo, at_once=4, notes=notes)
    assert sorted((job.folder / "gpu").read_text() for job in todo) == ["2", "2", "5", "5"]
    assert "spread over 2" in notes.lines[0]


def test_a_run_that_names_its_gpu_keeps_it_and_one_at_a_time_needs_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(module, "visible_gpus", lambda: ["0", "1"])
    named = Job("popularity", small_settings("popularity", epochs=DONE, accelerator="cuda:1"), tmp_path / "named", True)
    do([named, *jobs(tmp_path, DONE)], at_once=2)
    assert (named.folder / "gpu").read_text() == "unset"
    (alone,) = jobs(tmp_path, DONE, model="markov")
    do([alone])
    assert (alone.folder / "gpu").read_text() == "unset"


def test_one_after_the_other_with_its_number(tmp_path: Path) -> None:
    notes, todo = Notes(), jobs(tmp_path, DONE, DONE)
    assert do(todo, total=5, notes=notes) == {"popularity, seed 0": None, "popularity, seed 1": None}
    assert notes.lines == ["4 of 5: popularity, seed 0", "5 of 5: popularity, seed 1"]
    assert float((todo[0].folder / "ended").read_text()) < float((todo[1].folder / "begun").read_text())
    assert (todo[0].folder / "threads").read_text() == "unset" and not todo[0].output.exists()


def test_several_at_once_share_the_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_processors", lambda: 9)
    todo = jobs(tmp_path, DONE, DONE, DONE)
    assert do(todo, at_once=2) == dict.fromkeys([job.label for job in todo])
    begun = [float((job.folder / "begun").read_text()) for job in todo]
    ended = [float((job.folder / "ended").read_text()) for job in todo]
    assert begun[1] < ended[0] and begun[2] > min(ended[:2])
    assert {(job.folder / "threads").read_text() for job in todo} == {"4"}
    assert {job.output.read_text() for job in todo} == {"progress\n"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # what the user has set stays
    again = jobs(tmp_path / "again", DONE)
    do(again, at_once=2)
    assert (again[0].folder / "threads").read_text() == "3"


def test_one_that_fails_ends_no_other(tmp_path: Path) -> None:
    ends = list(do(jobs(tmp_path, FAILED, KILLED, WORDLESS, DONE)).values())
    failed, killed, wordless, done = ends
    assert failed == Failure("no luck", "where") and failed.text == "failed: no luck"
    assert killed is not None and "SIGKILL" in killed.reason and "memory" in killed.reason
    assert wordless is not None and "exit code 7" in wordless.reason
    assert done is None


def test_a_model_that_lacks_a_package_is_not_asked_again(tmp_path: Path) -> None:
    lacking, other = jobs(tmp_path, SKIPPED, DONE), jobs(tmp_path, DONE, model="markov")
    ends = do([lacking[0], other[0], lacking[1]])
    assert ends == {"popularity, seed 0": Failure("not installed", skipped=True), "markov, seed 0": None}


class PressesCtrlC(Notes):
    """Once the last of these folders has begun; and again when told that all are being stopped."""

    def __init__(self, *folders: Path, again: bool = False) -> None:
        super().__init__()
        self.folders, self.again = folders, again
        threading.Thread(target=self.press, daemon=True).start()

    def press(self) -> None:
        while not all((folder / "threads").is_file() for folder in self.folders):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    def note(self, text: str) -> None:
        super().note(text)
        if self.again and text.startswith("stopping"):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_stops_all_and_waits_for_them(tmp_path: Path) -> None:
    todo = jobs(tmp_path, WAITS, WAITS, DONE)
    with pytest.raises(Halted, match="nothing is lost"):
        do(todo, at_once=2, notes=PressesCtrlC(*(job.folder for job in todo[:2])))
    assert all((job.folder / "stopped").is_file() for job in todo[:2]) and not todo[2].folder.exists()


def test_a_second_ctrl_c_ends_them_at_once(tmp_path: Path) -> None:
    todo = jobs(tmp_path, DEAF)
    begun = time.monotonic()
    with pytest.raises(Halted):
        do(todo, notes=PressesCtrlC(todo[0].folder, again=True))
    assert time.monotonic() - begun < 60


def test_an_error_of_ones_own_leaves_nobody_at_work(tmp_path: Path) -> None:
    todo = jobs(tmp_path, DONE, WAITS)

    def broken(job: Job, failure: Failure | None) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        execute(todo, total=2, log=Path("log"), on="test", at_once=2, said=(), report=Notes(), ended=broken)
    assert (todo[1].folder / "stopped").is_file()


def test_a_kill_of_the_parent_stops_the_children(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, WAITS)
    words = json.dumps([str(job.folder), job.settings.model_dump_json()])
    code = f"""
import json, sys
from pathlib import Path
from recollect.study import execute as module
from recollect.study.plan import Job
from recollect.study.settings import RunSettings
from recollect.train.progress import Silent
module.CHILD = "stub_of_a_run"
folder, settings = json.loads({words!r})
settings = RunSettings.model_validate_json(settings)
job = Job(settings.model_name, settings, Path(folder), True)
module.execute([job], total=1, log=Path("log"), on="test", at_once=1, said=(), report=Silent(), ended=print)
"""
    source = Path(module.__file__).parents[2]
    paths = os.pathsep.join([os.environ["PYTHONPATH"], str(source)])
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths})
    deadline = time.monotonic() + 60
    while not (job.folder / "threads").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    while not (job.folder / "stopped").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (job.folder / "stopped").is_file()
