"""The floor on real data: Markov's known figures on ML-1M show that reader, split and ranking are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recollect.contracts import Events
from recollect.data.log import build_log
from recollect.data.splits import loo
from recollect.models.markov import Markov


@pytest.mark.long
def test_the_floor_of_ml_1m(data_folder: Path) -> None:
    file = data_folder / "ml-1m" / "raw" / "ratings.dat"
    if not file.exists():
        pytest.skip(f"needs {file}")
    raw = np.array([line.split("::") for line in file.read_text(encoding="latin-1").splitlines()], dtype=np.int64)
    log = build_log(raw[:, 0], raw[:, 1], raw[:, 3], name="ml-1m")
    split = loo(log)
    model = Markov(Markov.Config(), split.catalog)
    model.fit(split.train)
    starts = log.offsets[split.test.users]
    histories = [
        torch.from_numpy(log.items[a:b].astype(np.int64)) for a, b in zip(starts, split.test.positions, strict=True)
    ]
    targets = torch.from_numpy(log.items[split.test.positions].astype(np.int64))[:, None]
    scores = model.score(model.advance(model.fresh(len(histories)), Events.of([h.tolist() for h in histories])))
    allowed = _hit_and_gain(scores.clone(), targets)
    for row, history in enumerate(histories):
        scores[row, history] = -torch.inf
    hidden = _hit_and_gain(scores, targets)
    assert hidden == pytest.approx((0.2748, 0.1599), abs=0.001)
    assert allowed == pytest.approx((0.2303, 0.1321), abs=0.001)


def _hit_and_gain(scores: torch.Tensor, targets: torch.Tensor) -> tuple[float, float]:
    """HR@10 and NDCG@10, ties against the target."""
    own = scores.gather(1, targets)
    ranks = 1 + (scores.scatter(1, targets, -torch.inf) >= own).sum(1)
    hit = (ranks <= 10).double()
    return float(hit.mean()), float((hit / (ranks + 1.0).log2()).mean())
