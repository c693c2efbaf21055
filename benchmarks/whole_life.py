"""How much of a life is worth remembering? Accuracy against the number of last events that a model may know.

Three ways of asking, on one log: **once**, one training of xlstm-lsr on whole histories, asked with the last 100, 200,
500 ... events and with all of them; **each**, one training for each number, which learns with no more and is asked with
no more; **windows**, attention models with windows they can afford. Counted floors stand beside. What is made already
is not made again, so the same command goes on after an interruption. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from recollect.artifact import is_artifact, load
from recollect.config import ConfigError
from recollect.data.log import EventLog
from recollect.data.simulate.expected import best_figures
from recollect.data.simulate.long_memory import simulate_long_memory
from recollect.data.sources import LONG_MEMORY
from recollect.evaluate.ledger import Ledger, concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.protocol import History
from recollect.evaluate.significance import compare
from recollect.study.compare_settings import CompareSettings, compose_comparison
from recollect.study.run import placed, read_data, resume, run, split_data
from recollect.study.scoring import note_scoring, score
from recollect.study.settings import RunSettings, settings_in
from recollect.study.tables import common_protocol
from recollect.train.progress import Console

FLAGSHIP, ATTENTION, COUNTED = "xlstm-lsr", ("sasrec", "hstu"), ("markov", "personal-popularity")
WHOLE = f"{FLAGSHIP}, trained whole, asked whole"
PARTS = ("once", "each", "windows", "counted")


@dataclasses.dataclass(frozen=True)
class Asked:
    """A row of the table: a training, and how much it may know when it is asked."""

    label: str
    place: str
    settings: RunSettings
    history: History
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, help="settings of a comparison, as benchmarks/whole_life/LOG.toml")
    parser.add_argument("--out", type=Path, required=True, help="where the runs and the ranks are kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 200, 500, 1000, 2000])
    parser.add_argument("--windows", type=int, nargs="+", default=[200, 500])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--on", choices=["validation", "test"], default="validation")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="sets")
    parser.add_argument("--list", action="store_true", help="say what would be trained and asked, and do nothing")
    args = parser.parse_args()
    settings = compose_comparison(args.config, {}, args.sets)
    rows = [row for seed in range(args.seeds) for row in plan(settings, args, seed)]
    if args.list:
        for row in rows:
            ready = "trained" if is_artifact(args.out / row.place) else "to be trained"
            print(f"{row.label} (seed {row.seed}): {row.place}, {ready}")
        return
    log = read_data(settings.data)
    ledgers = [asked(row, args.out, log, args.on) for row in rows]
    show(ledgers, settings, log, args)


def plan(settings: CompareSettings, args: argparse.Namespace, seed: int) -> Iterator[Asked]:
    """Every row that is asked for, of one seed."""

    def one(label: str, model: str, name: str, history: History, own: RunSettings) -> Asked:
        return Asked(label, f"{model}/{name}/seed-{seed}", own, history, seed)

    flagship = settings.run_of(FLAGSHIP, seed)
    if "once" in args.parts:
        for length in args.lengths:
            yield one(f"{FLAGSHIP}, trained whole, asked last {length}", FLAGSHIP, "whole", length, flagship)
        yield one(WHOLE, FLAGSHIP, "whole", "whole", flagship)
    if "each" in args.parts:
        for length in args.lengths:
            label = f"{FLAGSHIP}, trained and asked last {length}"
            yield one(label, FLAGSHIP, f"last-{length}", length, remembering(flagship, length))
    if "windows" in args.parts:
        for model in ATTENTION:
            for window in args.windows:
                own = settings.run_of(model, seed)
                own = own.model_copy(update={"model": {**own.model, "window": window}})
                yield one(f"{model}, window {window}", model, f"window-{window}", "whole", own)
    if "counted" in args.parts and seed == 0:
        for model in COUNTED:
            yield one(model, model, "whole", "whole", settings.run_of(model, seed))


def remembering(settings: RunSettings, length: int) -> RunSettings:
    """The same run, which may know of the last events only, when it learns and when it is asked."""
    batches = settings.train.batches.model_copy(update={"context": length})
    train = settings.train.model_copy(update={"batches": batches})
    evaluate = settings.evaluate.model_copy(update={"history": length})
    return settings.model_copy(update={"train": train, "evaluate": evaluate})


def asked(row: Asked, out: Path, log: EventLog, on: str) -> Ledger:
    """The ranks of a row: those that were kept, or of its training, which is made if it is not there."""
    kept = out / "ranks" / on / f"{row.label.replace(', ', '_').replace(' ', '-')}_seed-{row.seed}.parquet"
    folder = out / row.place
    if (folder / "run.toml").is_file() and settings_in(folder) != placed(row.settings):
        raise ConfigError(f"{folder}: made with other settings; choose another --out")
    if kept.is_file():
        return Ledger.load(kept)
    if not is_artifact(folder):
        print(f"--- {row.label} (seed {row.seed}): training in {folder}", flush=True)
        report = Console(epochs=row.settings.train.epochs)
        if (folder / "run.toml").is_file():
            resume(folder, report=report, log=log)
        else:
            run(row.settings, folder, report=report, log=log)
    print(f"--- {row.label} (seed {row.seed}): asking {on}", flush=True)
    ledger = score(load(folder), log, on=on, history=row.history, run=row.label)  # type: ignore[arg-type]
    if on == "test":
        note_scoring(folder, ledger, measure(ledger))
    kept.parent.mkdir(parents=True, exist_ok=True)
    ledger.save(kept)
    return ledger


def show(ledgers: list[Ledger], settings: CompareSettings, log: EventLog, args: argparse.Namespace) -> None:
    whole = concat(ledgers)
    print(f"\n{date.today()}  {' '.join(sys.argv)}\n")
    minus = {one.run: one for one in compare(whole, WHOLE)} if WHOLE in whole.runs and len(whole.runs) > 1 else {}
    print("| model | history | HR@10 | NDCG@10 | minus whole (95 %) |\n|---|---|---|---|---|")
    for name in whole.runs:
        metrics, told = measure(whole.of(name)), whole.protocols[name].history
        one = minus.get(name)
        apart = "" if one is None else f"{one.difference:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
        print(f"| `{name}` | {told} | {metrics.text('hr@10')} | {metrics.text('ndcg@10')} | {apart} |")
    if settings.data.source == LONG_MEMORY:
        made, split = simulate_long_memory(), split_data(log, settings.split)
        targets = split.validation if args.on == "validation" else split.test
        for length in (*args.lengths, None):
            best = best_figures(made.best_possible(targets.users, targets.positions, last=length))
            told = "whole" if length is None else f"last {length}"
            print(f"| best possible | {told} | {best['hr@10']:.4f} | {best['ndcg@10']:.4f} | |")
    print(f"\n    {common_protocol(list(whole.protocols.values())).line()}")
    for one in list(minus.values())[:1]:
        print(f"\nIntervals: {one.line()}")


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.exit(f"error: {error}")
