"""Many models on one log: every run in a folder and a process of its own, then one table of all.

The log is read once and laid beside the runs, prepared, for as long as they last. What has been done is never done
again, so the same call goes on where the last one ended, and makes the table again where nothing is left to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recollect.artifact import ArtifactError, read_card, reason
from recollect.config import ConfigError, did_you_mean
from recollect.data import prepared
from recollect.evaluate.ledger import Ledger
from recollect.study import report as reports
from recollect.study.compare_settings import CompareSettings
from recollect.study.execute import Failure, execute
from recollect.study.plan import Job, loadable, plan, refuse_others
from recollect.study.run import read_data, remarks, split_data
from recollect.study.scoring import Part
from recollect.study.tables import Measured, Table, tabulate
from recollect.train.device import check_device, refuse_several_processes
from recollect.train.progress import Reporter, Silent

if sys.platform != "win32":
    import fcntl

FAILURES, LOG = "failures.json", ".log"


@dataclasses.dataclass(frozen=True)
class Compared:
    """What a comparison gives: where its runs lie, its table, and the runs that failed."""

    folder: Path
    table: Table
    runs: int
    failures: Mapping[str, Failure]
    """Label of a run -> why it has no figures; those of models that cannot be loaded here stand only in the table."""

    @property
    def failed(self) -> int:
        """How many runs went wrong; one that lacks an optional package has not."""
        return sum(not failure.skipped for failure in self.failures.values())


def compare(
    settings: CompareSettings,
    models: Sequence[str],
    out: str | Path,
    *,
    seeds: int = 3,
    on: Part = "test",
    against: str | None = None,
    at_once: int = 1,
    report: Reporter | None = None,
    command: str = "",
) -> Compared:
    """Train and measure every model with every seed in `out/<model>/seed-<n>`, and write the table into `out`.

    `models`: names of models, or of variants in `settings.models`. `against`: which of them the others are compared
    with, by default the best. `at_once`: how many runs are made at the same time. `command`: what the report says it
    was made by. Raises ConfigError, DataError or ArtifactError before anything is trained or overwritten; Halted after
    Ctrl-C.
    """
    refuse_several_processes()
    check_device(settings.train)
    report, out = report or Silent(), Path(os.path.abspath(out))
    names, unloadable = loadable(settings, dict.fromkeys(models))
    if not names and not unloadable:
        raise ConfigError("no model to compare; recollect models lists them")
    if against is not None and against not in models:
        raise ConfigError(f"{against!r} is none of the models to compare{did_you_mean(against, models)}")
    jobs = plan(settings, names, seeds, out)
    log = read_data(settings.data)
    said = tuple(remarks(split_data(log, settings.split)))
    for line in said:
        report.note(line)
    refuse_others(jobs, log)
    failures: dict[Job, Failure] = {}
    with _alone_in(out) as place:
        todo = [job for job in jobs if not job.done(on)]
        if len(todo) < len(jobs):
            report.note(f"{len(jobs) - len(todo)} of {len(jobs)} runs are there already")

        def ended(job: Job, failure: Failure | None) -> None:
            if failure is not None:
                failures[job] = failure
                output = job.output if at_once > 1 else None
                report.note(f"{job.label}: {failure.text}" + (f" (its output: {output})" if output else ""))
            elif at_once > 1:
                report.note(f"{job.label}: done")
            _keep(out / FAILURES, job, failure)

        if todo:
            try:
                prepared.save(log, out / LOG, overwrite=True)
                execute(
                    todo,
                    total=len(jobs),
                    log=out / LOG,
                    on=on,
                    at_once=at_once,
                    said=said,
                    report=report,
                    ended=ended,
                    keep_open=place,
                )
            finally:
                shutil.rmtree(out / LOG, ignore_errors=True)
        done = [
            Measured(Ledger.load(job.ledger(on)).named(job.name), read_card(job.folder), job.seeded)
            for job in jobs
            if job.done(on)
        ]
        table = tabulate(done, on, seeds, _reasons(jobs, failures, unloadable), against)
        reports.write(table, out, command)
    return Compared(out, table, len(jobs), {job.label: failure for job, failure in failures.items()})


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[int | None]:
    """Hold the folder against another comparison -> its descriptor; who inherits that holds it too. None on Windows."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be used ({reason(error)})") from None
    if place is None:  # Windows has no locks on folders, and hands no descriptors on
        yield None
        return
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                raise ArtifactError(f"{folder}: another comparison is at work there; wait until it has ended") from None
            # else: a file system without locks, where nobody can be kept out
        yield place
    finally:
        os.close(place)


def _keep(path: Path, job: Job, failure: Failure | None) -> None:
    """Note why a run failed, or strike it out where it no longer does."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    name = f"{job.name}/seed-{job.seed}"
    known.pop(name, None)
    if failure is not None:
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        known[name] = {"date": date, **dataclasses.asdict(failure)}
    if known:
        path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def _reasons(
    jobs: Sequence[Job], failures: Mapping[Job, Failure], unloadable: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Name -> a line for each reason, with the seeds it is given for where they are not all."""
    found: dict[str, tuple[str, ...]] = {name: (f"skipped: {why}",) for name, why in unloadable.items()}
    for name in dict.fromkeys(job.name for job in failures):
        seeds = [job.seed for job in jobs if job.name == name]
        lines: dict[str, list[int]] = {}
        for job, failure in failures.items():
            if job.name == name:
                lines.setdefault(failure.text, []).append(job.seed)
        found[name] = tuple(
            text if theirs == seeds or text.startswith("skipped") else f"seed {', '.join(map(str, theirs))} {text}"
            for text, theirs in lines.items()
        )
    return found
