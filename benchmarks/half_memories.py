"""What do memories in half precision change in the lists?

A trained model answers the validation targets of its log: with memories as they are, with memories that were saved in
half precision and read back once, and with memories that go through it every so many events, as those of a user do who
makes room for others again and again. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recollect.artifact import load
from recollect.contracts import Events, Recommender, Request, State
from recollect.evaluate.ledger import concat
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.evaluate.significance import compare
from recollect.serve.layout import Layout
from recollect.study.run import split_data
from recollect.study.scoring import data_of
from recollect.study.settings import settings_from


class Through(Recommender):
    """A model whose memories go through bytes: when they are scored, and with `often` after every advance too."""

    def __init__(self, model: Recommender, layout: Layout, often: bool) -> None:
        self._model, self._layout, self._often = model, layout, often
        self.config, self.catalog = model.config, model.catalog
        self.lists: list[np.ndarray] = []

    def fresh(self, users: int, profile: Mapping[str, Tensor] | None = None) -> State:
        return self._model.fresh(users, profile)

    def advance(self, state: State, events: Events) -> State:
        after = self._model.advance(state, events)
        return self._through(after) if self._often else after

    def score(self, state: State, request: Request | None = None, items: Tensor | None = None) -> Tensor:
        scores = self._model.score(state if self._often else self._through(state), request, items)
        self.lists.append(scores.topk(10, dim=1).indices.numpy())
        return scores

    def _through(self, state: State) -> State:
        return self._layout.unpack(self._layout.pack(state))

    def tensors(self) -> Mapping[str, Tensor]:
        return self._model.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self._model.restore(tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a trained model, and its log where it was")
    parser.add_argument("--every", type=int, default=32, help="events between two times through half precision")
    args = parser.parse_args()
    trained = load(args.run)
    log = data_of(trained)
    settings = settings_from(trained.settings)
    targets = split_data(log, settings.split).validation
    split = f"{settings.split.protocol}, validation"
    with torch.inference_mode():
        one = trained.model.fresh(1)
    whole, half = Layout(one), Layout(one, half=True)
    print(f"{date.today()}  {trained.name} [{trained.digest}] on {log.name}, validation, {len(targets):,} targets")
    ledgers, lists = [], []
    kinds = (
        ("whole", whole, False, 1024),
        ("half", half, False, 1024),
        (f"half every {args.every}", half, True, args.every),
    )
    for name, layout, often, segment in kinds:
        model = Through(trained.model, layout, often)
        ledgers.append(rank(model, log, targets, seen=settings.evaluate.seen, segment=segment, run=name, split=split))
        lists.append(np.concatenate(model.lists))
    table = concat(ledgers)
    print("\n| memories | bytes a user | HR@10 | NDCG@10 | minus whole | of the top 10 kept | lists unchanged |")
    print("|---|---:|---|---|---|---:|---:|")
    for (name, layout, _, _), ledger, own in zip(kinds, ledgers, lists, strict=True):
        metrics = measure(ledger)
        row = f"| {name} | {layout.size:,} | {metrics.text('hr@10')} | {metrics.text('ndcg@10')} |"
        if name != "whole":
            (found,) = compare(table, "whole", [name], metric="ndcg@10")
            kept = np.mean([len(np.intersect1d(a, b)) for a, b in zip(own, lists[0], strict=True)]) / 10
            same = np.mean((own == lists[0]).all(axis=1))
            row += f" {found.difference:+.5f} [{found.low:+.5f}, {found.high:+.5f}] | {kept:.2%} | {same:.2%} |"
        print(row + ("" if name != "whole" else " | | |"))
    print(f"\n{ledgers[0].protocols['whole'].line()}")


if __name__ == "__main__":
    main()
