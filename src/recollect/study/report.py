"""A table as it is read: three sheets narrow enough for 80 columns, the same as Markdown, and files for programs.

Every figure stands with its error, every difference with its interval, every time with its machine.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from recollect.artifact import ArtifactError, reason
from recollect.evaluate.metrics import figure
from recollect.evaluate.significance import Comparison
from recollect.study.tables import DECIDES, Cost, Row, Table, plain
from recollect.train.memory import human_bytes
from recollect.version import __version__

Side = Literal["left", "right"]
REPORT, TABLE, LEDGER = "report.md", "table.json", "ledger.parquet"


@dataclasses.dataclass(frozen=True)
class Sheet:
    """One part of the table as text: headings with the side their cells stand on, rows, and what must be known."""

    title: str
    columns: tuple[tuple[str, Side], ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def sheets(table: Table) -> list[Sheet]:
    """Accuracy, differences to the reference, cost; without figures there are none."""
    if not table.rows:
        return []
    found = [accuracy(table), differences(table), costs(table)]
    return [sheet for sheet in found if sheet.rows]


def accuracy(table: Table) -> Sheet:
    measured = {row.model for row in table.rows}
    rows = [_accuracy_row(row, table.seeds) for row in table.rows]
    rows += [
        (model, reasons[-1].partition(":")[0].split()[-1], "", "", "", "")  # failed or skipped
        for model, reasons in table.failed.items()
        if model not in measured
    ]
    heads = _heads("HR@10", "NDCG@10", "MRR@10", "seeds", "seed sd")
    title = f"{table.on.capitalize()}: mean ± standard error over {table.rows[0].metrics.users:,} users"
    return Sheet(title, heads, tuple(rows), tuple(_remarks(table)))


def _accuracy_row(row: Row, wanted: int | None) -> tuple[str, ...]:
    metrics = row.metrics
    count = len(metrics.seeds)
    seeds = "any" if not row.seeded else str(count) if wanted in (count, None) else f"{count} of {wanted}"
    spread = figure(metrics.seed_spread[DECIDES]) if DECIDES in metrics.seed_spread else ""
    return (row.model, *(metrics.text(name) for name in ("hr@10", "ndcg@10", "mrr@10")), seeds, spread)


def _remarks(table: Table) -> Iterator[str]:
    """What a reader could otherwise take wrongly."""
    best = table.rows[0].metrics
    yield from without_figures(table)
    if table.reference is None:
        yield f"No differences: {table.against} has no figures."
    yield (
        "± is the standard error over users, the seeds of a user taken together: how far another draw of users would "
        "move these models. seed sd is the standard deviation of NDCG@10 over seeds: how far another training would."
    )
    if not all(row.seeded for row in table.rows):
        yield "Seeds any: the model draws no random numbers, so one run says all."
    if table.on == "validation":
        yield (
            "Networks chose their best epoch on these very targets, which flatters them. "
            "This table asks no target of test."
        )
    if best.misses:
        share = best.misses / (best.targets * len(best.seeds))
        yield f"{share:.1%} of the targets were seen before and count as misses; --seen allowed ranks them too."
    assert table.ledger is not None
    for what in ("history", "request_time"):
        groups: dict[str, list[str]] = {}
        for row in table.rows:
            groups.setdefault(getattr(table.ledger.protocols[row.model], what), []).append(row.model)
        if len(groups) > 1:
            said = (f"{value}: {', '.join(models)}" for value, models in groups.items())
            yield f"{what.replace('_', ' ').capitalize()} {'; '.join(said)}."


def differences(table: Table) -> Sheet:
    found = [row.comparison for row in table.rows if row.comparison is not None]
    rows = []
    for one in found:
        interval = f"[{figure(one.low, signed=True)}, {figure(one.high, signed=True)}]"
        tests = ["none" if p is None else figure(p) for p in (one.p, one.p_holm)]
        rows.append((one.run, figure(one.difference, signed=True), interval, *tests))
    minus = "minus the best" if table.against is None else f"minus {table.against}"
    heads = _heads(minus, "95 % interval", "p", "p (Holm)")
    notes = tuple(_what_is_in(found, chosen=table.against is None))
    return Sheet(f"NDCG@10, minus that of {table.reference}", heads, tuple(rows), notes)


def _what_is_in(found: Sequence[Comparison], *, chosen: bool) -> Iterator[str]:
    """What the intervals and tests of the differences hold, and what they leave out."""
    yield (
        "The interval holds what another draw of users would change (paired bootstrap) and, from three seeds on, what "
        "another training would (variance between seeds, Student's t)."
    )
    if few := dict.fromkeys(name for one in found for name in one.leaves_out):
        yield (
            f"LEFT OUT, for fewer than three seeds: how another training of {', '.join(few)} would end. An interval "
            "with one of them may lie beside zero by the luck of that training alone, and no p is given."
        )
    if tested := sum(one.p is not None for one in found):
        yield (
            "p: sign-flip test over users with the same variance between seeds, Holm's correction over "
            f"{tested} comparison{'s' * (tested != 1)}."
        )
    if found and chosen:
        yield "The best was found by these same figures, which favours it."


def costs(table: Table) -> Sheet:
    gpu = any(row.cost.accelerator_bytes for row in table.rows)
    names = ("parameters", "s/epoch", "best epoch", "train s", "memory", *(["on GPU"] if gpu else []), "rank s")
    rows = []
    for row in table.rows:
        cost = row.cost
        training = (_count(cost.parameters), _seconds(cost.epoch_seconds), _epochs(cost), _seconds(cost.seconds))
        memory = (_bytes(cost.peak_bytes), *([_bytes(cost.accelerator_bytes)] if gpu else []))
        rows.append((row.model, *training, *memory, _seconds(cost.ranking_seconds)))
    machines = tuple(dict.fromkeys(machine for row in table.rows for machine in row.cost.machines))
    notes = [
        "Means over seeds. train s: all epochs with their validations; memory: the most that the process of a run had, "
        "with Python and torch; rank s: ranking all items for 1,000 users of validation."
    ]
    if len(machines) > 1:
        notes.append(f"NOT taken alike, so do not compare times: {'; '.join(machines)}.")
    elif machines:
        notes.append(f"Taken on {machines[0]}; runs at once (--jobs) slow each other down.")
    return Sheet("Cost", _heads(*names), tuple(rows), tuple(notes))


def _heads(*figures: str) -> tuple[tuple[str, Side], ...]:
    return (("model", "left"), *((name, "right") for name in figures))


def markdown(table: Table, command: str) -> str:
    """The report, to be kept or put into a page."""
    lines = [f"# {len(table.rows)} model{'s' * (len(table.rows) != 1)} compared on {table.on}", ""]
    lines += [f"Made with recollect {__version__} on {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"]
    lines += ["by", "", f"    {command}", ""] if command else [""]
    if table.rows:
        lines += ["All figures:", "", f"    {table.protocol_line}", ""]
    for sheet in sheets(table):
        lines += [f"## {sheet.title}", "", _line(name for name, _ in sheet.columns)]
        lines += [_line("---:" if side == "right" else "---" for _, side in sheet.columns)]
        lines += [_line(row) for row in sheet.rows]
        lines += ["", *(f"{note}  " for note in sheet.notes), ""]
    if not table.rows:
        lines += ["## Without figures", "", *(f"- {line}" for line in without_figures(table)), ""]
    lines.append("Every run lies in `MODEL/seed-N`, its settings in `run.toml` there; every rank in `ledger.parquet`.")
    return "\n".join(lines) + "\n"


def without_figures(table: Table) -> list[str]:
    """One line for each model and reason."""
    return [f"{model}: {line}" for model, reasons in table.failed.items() for line in reasons]


def write(table: Table, folder: Path, command: str = "") -> None:
    """report.md, table.json and ledger.parquet, each whole or as it was before. Raises ArtifactError."""
    try:
        _replace(folder / REPORT, markdown(table, command))
        _replace(folder / TABLE, json.dumps(plain(table), indent=1, allow_nan=False) + "\n")
        if table.ledger is None:
            (folder / LEDGER).unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"{folder}: the report cannot be written ({reason(error)})") from None
    if table.ledger is not None:
        table.ledger.save(folder / LEDGER)


def _replace(path: Path, text: str) -> None:
    waiting = path.with_name(f".{path.name}")
    waiting.write_text(text, encoding="utf-8")
    os.replace(waiting, path)


def _line(cells: Iterator[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _bytes(value: int | None) -> str:
    return "" if value is None else human_bytes(value)


def _seconds(value: float | None) -> str:
    """Three digits or so, whatever the size."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _epochs(cost: Cost) -> str:
    """`9-12 of 20`: the best epoch of each seed, of the most epochs any was trained for."""
    if not cost.best_epochs:
        return ""
    low, high = min(cost.best_epochs), max(cost.best_epochs)
    return f"{low} of {cost.epochs}" if low == high else f"{low}-{high} of {cost.epochs}"
