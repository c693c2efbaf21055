"""The memory estimate: what it counts exactly, how it grows, and (long) that it is near what a run takes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from recollect import registry
from recollect.config import decode
from recollect.contracts import Catalog, Network
from recollect.train.memory import estimate_bytes, human_bytes, peak_bytes


def network(name: str, size: int = 100, **model: object) -> Network:
    kind = registry.model_class(name)
    built = kind(decode(kind.Config, model, where="model"), Catalog(size))  # type: ignore[call-arg]
    assert isinstance(built, Network)
    return built


def test_weights_gradients_moments_and_best_weights_are_counted() -> None:
    """100,000 further items of width 64: five copies of their table in fp32."""
    grown = estimate_bytes(network("gru4rec", 100_100), 4096) - estimate_bytes(network("gru4rec", 100), 4096)
    assert grown == 5 * 4 * 64 * 100_000


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "mlstm4rec", "xlstm-lsr"])
def test_it_grows_with_the_batch(name: str) -> None:
    model = network(name)
    small, large = (estimate_bytes(model, tokens) for tokens in (1000, 100_000))
    assert large > small


def test_sizes_are_readable() -> None:
    assert [human_bytes(n) for n in (0, 999, 1000, 12_340_000, 5e9, 7e13)] == [
        "0 B", "999 B", "1 kB", "12.3 MB", "5 GB", "70 TB"
    ]  # fmt: skip


def test_the_peak_sees_a_block_that_was_held() -> None:
    before = peak_bytes()
    block = bytearray(os.urandom(1)) * (before + 50_000_000)
    assert peak_bytes() >= len(block)


MEASURE = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from recollect import registry
from recollect.config import decode
from recollect.contracts import Catalog
from recollect.data.histories import Ragged
from recollect.train.loop import train
from recollect.train.memory import estimate_bytes, peak_bytes
from recollect.train.precision import prepares_products
from recollect.train.progress import Silent
from recollect.train.settings import TrainSettings
name, precision, users = sys.argv[1], sys.argv[2], 100
kind = registry.model_class(name)
model = kind(decode(kind.Config, {}, where="model"), Catalog(3000))
lengths = np.full(users, 200)
if precision == "bf16":  # a shape of its own for nearly every batch, which is where prepared products pile up
    lengths = np.sort(np.random.default_rng(1).lognormal(5, 1, 4 * users).astype(int).clip(2, 2000))
offsets = np.concatenate([[0], np.cumsum(lengths)])
data = Ragged(np.random.default_rng(0).integers(1, 3000, offsets[-1]), np.arange(offsets[-1]), offsets)
settings = TrainSettings(epochs=1, precision=precision, accelerator="cpu", batches={"tokens": 4096})
few = Ragged(data.items[:20], data.times[:20], np.array([0, 20]))
judge = lambda model: {"hr@10": 0.1, "ndcg@10": 0.1}
train(model, few, settings, judge, Silent())  # what torch takes by itself, optimiser and best weights included
before = peak_bytes()
train(model, data, settings, judge, Silent())
moments = 5 * 4 * sum(p.numel() for p in model.parameters())
print(estimate_bytes(model, 4096, prepared=prepares_products(settings)), peak_bytes() - before + moments)
"""


@pytest.mark.long
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "mlstm4rec", "xlstm-lsr"])
def test_the_estimate_is_near_what_a_run_takes(name: str, precision: str) -> None:
    if precision == "bf16" and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("this CPU has no bf16 products")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, name, precision], env=environment, capture_output=True, text=True, check=True
    )
    estimated, measured = map(int, done.stdout.split())
    told = f"{name}, {precision}: estimated {human_bytes(estimated)}, took {human_bytes(measured)}"
    print(told)
    assert 0.5 <= estimated / measured <= 2.2, told
