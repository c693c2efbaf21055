"""An item table that starts from given vectors: their rows are in it bit for bit, by id, and all else is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recollect.config import ConfigError
from recollect.data.log import DataError, Vocabulary
from recollect.train.fit import fit
from recollect.train.item_vectors import init_items

from .material import SMALL, settings
from .test_fit import Notes
from .test_older import OLD, SHAPES, fresh, kept, walks

LOG = walks(OLD)
GIVEN = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
IDS = ["i03", "elsewhere", "i00", "i11", "i05"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    np.savez(tmp_path / "v.npz", ids=np.array(IDS), vectors=GIVEN)
    return str(tmp_path / "v.npz")


@pytest.mark.parametrize("name", SHAPES)
def test_the_rows_are_the_given_vectors_and_the_others_as_they_were(name: str, file: str) -> None:
    model, untouched = fresh(name, LOG.item_ids), fresh(name, LOG.item_ids)
    said = list(init_items(model, LOG.item_ids, file))
    for item in OLD:
        row = model.item_vectors()[LOG.item_ids.find(item)]
        if item in IDS:
            assert torch.equal(row, torch.from_numpy(GIVEN[IDS.index(item)])), item
        else:
            assert torch.equal(row, untouched.item_vectors()[LOG.item_ids.find(item)]), item
    assert not model.item_vectors()[0].any()
    assert said == [
        f"4 of 12 items start from {file}",
        "without a vector, started fresh: 8 items (i01, i02, i04, ...)",
        "vectors of no item of this log, not used: 1",
    ]


def test_another_width_is_refused_with_what_to_set(file: str) -> None:
    with pytest.raises(ConfigError, match=r"have 8 dimensions, the item table 16; set model\.width=8$"):
        list(init_items(fresh("gru4rec", LOG.item_ids, {"width": 16}), LOG.item_ids, file))
    with pytest.raises(ConfigError, match=r"the item table 4; set model\.width=8, or reduce the vectors to 4 \(by PCA"):
        list(init_items(fresh("gru4rec", LOG.item_ids, {"width": 4}), LOG.item_ids, file))


def test_vectors_of_other_items_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", ids=np.array(["x", "y"]), vectors=GIVEN[:2])
    with pytest.raises(DataError, match=r"none of its 2 ids \(x, y\) is an item of this log \(i00, i01, i02, \.\.\.\)"):
        list(init_items(fresh("gru4rec", LOG.item_ids), LOG.item_ids, str(tmp_path / "v.npz")))


def test_fit_starts_from_them_and_from_an_older_run_where_that_knows_more(file: str, tmp_path: Path) -> None:
    older = kept("gru4rec", walks(OLD[:4]), tmp_path / "run")  # knows i03 and i00, not i11
    report = Notes()
    given = {"init_items": file, "start_from": str(tmp_path / "run"), "learning_rate": 1e-12, "weight_decay": 0.0}
    trained = fit("gru4rec", LOG, settings(epochs=1, **given), model=SMALL["gru4rec"], seen="allowed", report=report)

    def row(item: str) -> torch.Tensor:
        return trained.model.item_vectors().cpu()[LOG.item_ids.find(item)]  # type: ignore[attr-defined]

    torch.testing.assert_close(row("i11"), torch.from_numpy(GIVEN[3]), atol=1e-9, rtol=0)
    learnt = older.model.item_vectors()[older.items.find("i03")]  # type: ignore[attr-defined]
    torch.testing.assert_close(row("i03"), learnt, atol=1e-9, rtol=0)
    about_items = [text for text in report.texts if "start from" in text or "fresh" in text or "from there" in text]
    assert about_items == [
        f"weights of {tmp_path / 'run'}: 4 items have their rows from there, 8 are new",
        f"2 of 8 new items start from {file}",
        "without a vector, started fresh: 6 new items (i04, i06, i07, ...)",
    ]


def test_they_may_be_said_of_the_model_as_on_the_command_line(file: str) -> None:
    def trained(model: dict[str, Any], **train: Any) -> dict[str, torch.Tensor]:
        made = fit("gru4rec", LOG, settings(epochs=1, **train), model=model, seen="allowed", report=Notes())
        assert made.settings["train"]["init_items"] == file and "init_items" not in made.settings["model"]
        return dict(made.model.tensors())

    small = SMALL["gru4rec"]
    one, other = trained({**small, "init_items": file}), trained(small, init_items=file)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_no_vector_is_looked_at_where_the_older_run_knows_every_item(tmp_path: Path) -> None:
    older = kept("gru4rec", LOG, tmp_path / "run")
    model = fresh("gru4rec", LOG.item_ids)
    before = model.item_vectors().detach().clone()
    gone = str(tmp_path / "gone.npz")
    assert list(init_items(model, LOG.item_ids, gone, older=older.items)) == [
        f"no item is new, so none starts from {gone}"
    ]
    assert torch.equal(model.item_vectors(), before)


def test_vectors_of_known_items_only_leave_the_new_ones_fresh(file: str) -> None:
    older = Vocabulary(np.array(sorted(IDS), dtype=object), first=1)
    model, untouched = fresh("gru4rec", LOG.item_ids), fresh("gru4rec", LOG.item_ids)
    said = list(init_items(model, LOG.item_ids, file, older=older))
    assert said[0] == f"0 of 8 new items start from {file}"
    assert torch.equal(model.item_vectors(), untouched.item_vectors())


def test_a_counting_model_says_that_it_has_no_table(file: str) -> None:
    report = Notes()
    fit("markov", LOG, {"init_items": file}, report=report)
    assert "markov has no item table, so train.init_items is not used" in report.texts
