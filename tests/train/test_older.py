"""Starting from an older run: what was learnt is there bit for bit, by id; what does not fit is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recollect import artifact
from recollect.artifact import Artifact, load
from recollect.config import ConfigError, plain
from recollect.contracts import Catalog, Events, Network
from recollect.data.log import EventLog, Vocabulary, build_log
from recollect.data.splits import loo
from recollect.registry import model_class, names
from recollect.train.fit import fit
from recollect.train.older import item_axes, start_from
from recollect.train.progress import Silent

from .material import SMALL, settings
from .test_fit import Notes

SHAPES: dict[str, dict[str, Any]] = {**SMALL, "lru": {"width": 8}, "mimn": {"width": 8, "hidden": 8}}


def walks(items: list[str], seed: int = 0) -> EventLog:
    draw = np.random.default_rng(seed)
    lengths = draw.integers(5, 20, 30)
    return build_log(
        np.repeat(np.arange(30), lengths),
        np.array(draw.choice(items, lengths.sum()), dtype=object),
        np.arange(lengths.sum()),
    )


def kept(name: str, log: EventLog, folder: Path, fields: dict[str, Any] | None = None) -> Artifact:
    """A model trained on a log for one epoch, as an artifact."""
    fields = SHAPES[name] if fields is None else fields
    trained = fit(name, loo(log), settings(epochs=1), model=fields, seen="allowed", report=Silent())
    artifact.save(folder, trained.model, log.item_ids, {"model": {"name": name, **plain(trained.model.config)}})
    return load(folder)


def fresh(name: str, items: Vocabulary, fields: dict[str, Any] | None = None, seed: int = 5) -> Network:
    torch.manual_seed(seed)
    kind = model_class(name)
    config = kind.Config.model_validate(SHAPES[name] if fields is None else fields)
    model: Network = kind(config, Catalog(items.size, np.zeros(items.size, dtype=np.int64)))  # type: ignore[call-arg]
    return model.eval()


OLD = [f"i{number:02d}" for number in range(12)]
NEW = ["a-first", *OLD, "i05b", "z-last"]  # new ids before, between and behind the others: every code moves


@pytest.mark.parametrize("name", SHAPES)
def test_before_any_training_old_items_score_as_they_did(name: str, tmp_path: Path) -> None:
    older = kept(name, walks(OLD), tmp_path / "run")
    items = Vocabulary(np.array(NEW, dtype=object), first=1)
    model = fresh(name, items)
    list(start_from(model, name, items, older))
    past = [["i03", "i00", "i11", "i03"], ["i07"], []]

    def scores(one: Any, vocabulary: Vocabulary) -> torch.Tensor:
        events = Events.of([[vocabulary.find(item) or 0 for item in row] for row in past])
        wanted = torch.tensor([vocabulary.find(item) or 0 for item in OLD])
        with torch.no_grad():
            return one.score(one.advance(one.fresh(len(past)), events), items=wanted)

    assert torch.equal(scores(older.model, older.items), scores(model, items))


def test_rows_of_new_items_are_those_of_a_fresh_model(tmp_path: Path) -> None:
    older = kept("sasrec", walks(OLD), tmp_path / "run")
    items = Vocabulary(np.array(NEW, dtype=object), first=1)
    model, untouched = fresh("sasrec", items), fresh("sasrec", items)
    said = list(start_from(model, "sasrec", items, older))
    for item in NEW:
        code = items.find(item)
        source = untouched if item not in OLD else older.model
        there = code if item not in OLD else older.items.find(item)
        assert torch.equal(model.item_vectors()[code], source.item_vectors()[there]), item
    assert not model.item_vectors()[0].any()
    assert said == [f"weights of {tmp_path / 'run'}: 12 items have their rows from there, 3 are new"]


def test_items_that_are_gone_are_left_out_and_said(tmp_path: Path) -> None:
    older = kept("gru4rec", walks(OLD), tmp_path / "run")
    items = Vocabulary(np.array(["i01", "i03", "new"], dtype=object), first=1)
    model = fresh("gru4rec", items)
    said = list(start_from(model, "gru4rec", items, older))
    assert torch.equal(model.item_vectors()[2], older.model.item_vectors()[older.items.find("i03")])  # type: ignore[attr-defined]
    assert f"left out: 10 items of {tmp_path / 'run'} that are not in this log (i00, i02, i04, ...)" in said


def test_ids_are_matched_as_they_are_written(tmp_path: Path) -> None:
    older = kept("gru4rec", walks(["10", "9", "8"]), tmp_path / "run")
    items = Vocabulary(np.array([8, 9, 10, 11]), first=1)  # numbers now, and in another order
    model = fresh("gru4rec", items)
    list(start_from(model, "gru4rec", items, older))
    assert torch.equal(model.item_vectors()[3], older.model.item_vectors()[1])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name, change, named", [
    ("sasrec", {"width": 16}, r"model\.width is 8 there and 16 now"),
    ("sasrec", {"window": 30, "dropout": 0.5}, r"model\.window is 10 there and 30 now: weights"),
    ("mlstm4rec", {"mlstm": {"heads": 2, "expansion": 4.0}}, r"model\.mlstm\."),
    ("gru4rec", {"layers": 3}, r"model\.layers"),
])  # fmt: skip
def test_a_setting_that_changes_shapes_is_refused_by_name(
    name: str, change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    older = kept(name, walks(OLD), tmp_path / "run")
    try:
        model = fresh(name, older.items, {**SMALL[name], **change})
    except ValueError as error:  # the setting is called otherwise today
        pytest.fail(str(error))
    with pytest.raises(ConfigError, match=named) as refused:
        list(start_from(model, name, older.items, older))
    assert "dropout" not in str(refused.value), "only what changes shapes"


def test_a_setting_that_changes_no_shape_is_said(tmp_path: Path) -> None:
    older = kept("sasrec", walks(OLD), tmp_path / "run")
    model = fresh("sasrec", older.items, {**SMALL["sasrec"], "dropout": 0.5})
    assert list(start_from(model, "sasrec", older.items, older))[-1] == "model.dropout: 0.2 there, 0.5 now"


def test_another_model_and_other_items_are_refused(tmp_path: Path) -> None:
    older = kept("sasrec", walks(OLD), tmp_path / "run")
    with pytest.raises(ConfigError, match="a sasrec, whose weights are no start for gru4rec"):
        list(start_from(fresh("gru4rec", older.items), "gru4rec", older.items, older))
    others = Vocabulary(np.array(["x", "y"], dtype=object), first=1)
    with pytest.raises(ConfigError, match="none of its 12 items is in this log"):
        list(start_from(fresh("sasrec", others), "sasrec", others, older))


def test_the_axes_of_items_are_found_whatever_the_model() -> None:
    for name, axes in (
        ("bert4rec", {"bias": 0, "table.embedding.weight": 0}),
        ("sasrec", {"table.embedding.weight": 0}),
    ):
        kind = model_class(name)
        assert item_axes(kind, kind.Config(width=8), 8) == axes, "also where another axis is as long"


@pytest.mark.parametrize("name", names())
def test_every_network_has_an_item_table_that_can_be_matched(name: str) -> None:
    try:
        kind = model_class(name)
    except ImportError:
        pytest.skip("a package that it needs is not installed")
    if issubclass(kind, Network):
        assert any("table" in key for key in item_axes(kind, kind.Config(), 20))


def test_fit_starts_from_a_folder(tmp_path: Path) -> None:
    log, report = walks(OLD), Notes()
    older = kept("gru4rec", log, tmp_path / "run")
    begun = {"start_from": str(tmp_path / "run"), "learning_rate": 1e-12, "weight_decay": 0.0, "epochs": 1}
    newer = walks(NEW, seed=1)
    trained = fit("gru4rec", loo(newer), settings(**begun), model=SMALL["gru4rec"], seen="allowed", report=report)
    for item in OLD:
        was, now = older.items.find(item), newer.item_ids.find(item)
        torch.testing.assert_close(
            trained.model.item_vectors().cpu()[now],
            older.model.item_vectors()[was],
            atol=1e-9,
            rtol=0,  # type: ignore[attr-defined]
        )
    assert any("12 items have their rows from there" in text for text in report.texts)


def test_a_counting_model_has_no_weights_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="markov is fitted in one pass"):
        fit("markov", walks(OLD), {"start_from": str(tmp_path)}, report=Silent())
