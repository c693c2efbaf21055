"""User neighbours on real data: no table of all users with all users is ever made, and everybody is answered soon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

USERS = 6040
ASK_ALL = """
import json, sys, time, tracemalloc

import torch

from recollect.contracts import Events
from recollect.counting import scoring
from recollect.data.sources import read
from recollect.data.splits import loo
from recollect.evaluate.metrics import measure
from recollect.evaluate.ranking import rank
from recollect.models.userknn import UserKNN
from recollect.train.memory import peak_bytes

split = loo(read(sys.argv[1]))
model = UserKNN(UserKNN.Config(), split.catalog)
model.fit(split.train)
begun = time.monotonic()
ledger = rank(model, split.log, split.validation, seen="hidden", split="loo, validation")
found = {"users": len(ledger), "seconds": time.monotonic() - begun}

# All users in one call, known by so much that nearly every pair has an item in common; few items, for a small answer.
wide = UserKNN(UserKNN.Config(history=100), split.catalog)
wide.fit(split.train)
state = wide.advance(wide.fresh(len(split.train)), Events.of([row[-100:].tolist() for row in split.train]))
scoring.CELLS = 1 << 22  # scores of users and items, which are none of the matter, take 17 MB at a time
before = peak_bytes()
tracemalloc.start()  # NumPy tells it of every array
wide.score(state, items=torch.arange(1, 11))
found |= {"arrays": tracemalloc.get_traced_memory()[1], "before": before, "peak": peak_bytes()}
print(json.dumps({**found, **measure(ledger, ["hr@10", "ndcg@10"]).values}))
"""


@pytest.mark.long
def test_everybody_of_ml_1m_in_little_memory(data_folder: Path) -> None:
    file = data_folder / "ml-1m" / "raw" / "ratings.dat"
    if not file.exists():
        pytest.skip(f"needs {file}")
    result = subprocess.run(
        [sys.executable, "-c", ASK_ALL, str(file.parent)], capture_output=True, text=True, timeout=900
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    print(found)
    one_table = USERS * USERS * 4  # all users with all users in fp32: 146 MB
    assert found["users"] == USERS
    assert found["arrays"] < one_table
    assert found["peak"] - found["before"] < one_table
    assert found["peak"] < 1e9
    assert (found["hr@10"], found["ndcg@10"]) == pytest.approx((0.1733, 0.0907), abs=0.001)
