"""An artifact comes back bit for bit, or says in one line what is wrong with it; a failed save harms nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from recollect import artifact
from recollect.artifact import CARD, ITEMS, PARTS, SETTINGS, TABLE, WEIGHTS, ArtifactError, load, save
from recollect.config import digest
from recollect.contracts import Catalog, Counting, Events, Network, Recommender
from recollect.data.histories import Ragged
from recollect.data.log import Table, Vocabulary
from recollect.data.parquet import write_columns
from recollect.registry import model_class, names

TEXT = np.array(["A;1", "b", "with \udce9 surrogate", "z" * 5000, "é 😀"], dtype=object)
NUMBERS = np.array([-3, 0, 7, 2**40, 2**62], dtype=np.int64)
EVENTS = Events.of([[1, 2, 3], [5], []])


def build(name: str, fields: dict[str, Any] | None = None, size: int = 6) -> Recommender:
    torch.manual_seed(1)
    kind = model_class(name)
    catalog = Catalog(size, np.arange(size))
    made: Recommender = kind(kind.Config(**(fields or {})), catalog)  # type: ignore[call-arg]
    if isinstance(made, Counting):
        codes = np.array([1, 2, 3, 1, 2, 5, 4, 3])
        made.fit(Ragged(codes, np.arange(8), np.array([0, 3, 8])))
    elif isinstance(made, Network):
        made.eval()
    return made


def keep(folder: Path, name: str = "gru4rec", ids: np.ndarray = TEXT, **more: Any) -> Recommender:
    fields = {} if issubclass(model_class(name), Counting) else {"width": 8}
    made = build(name, fields)
    save(folder, made, Vocabulary(ids, first=1), {"model": {"name": name, **fields}, "train": {"epochs": 3}}, **more)
    return made


def scores(model: Recommender) -> torch.Tensor:
    with torch.inference_mode():
        return model.score(model.advance(model.fresh(3), EVENTS))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "model"
    keep(folder)
    return folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copy"))


@pytest.mark.parametrize("name", names())
def test_every_model_comes_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    if name == "hf":
        pytest.importorskip("transformers", reason="the extra hf is not installed")
    before = keep(tmp_path / "model", name)
    after = load(tmp_path / "model")
    assert after.name == name and after.model.config == before.config
    for key, tensor in before.tensors().items():
        assert torch.equal(after.model.tensors()[key], tensor), key
    assert torch.equal(scores(before), scores(after.model))
    assert np.array_equal(after.model.catalog.counts, before.catalog.counts)
    assert not isinstance(after.model, Network) or not after.model.training


@pytest.mark.parametrize("ids", [TEXT, NUMBERS], ids=["text", "numbers"])
def test_ids_keep_their_type(ids: np.ndarray, tmp_path: Path) -> None:
    titles = np.array(["", "One", "", "Drei", "4", "five"], dtype=object)
    keep(tmp_path / "model", ids=ids, titles=titles)
    after = load(tmp_path / "model")
    assert after.items.ids.dtype == ids.dtype and after.items.ids.tolist() == ids.tolist()
    assert after.items.first == 1
    assert after.titles.tolist() == ["", "One", str(ids[1]), "Drei", "4", "five"]


def test_settings_and_card_come_back(tmp_path: Path) -> None:
    keep(tmp_path / "model", about={"data": {"digest": "abc"}, "history": [{"epoch": 1, "loss": 0.1}]})
    after = load(tmp_path / "model")
    assert after.settings == {"model": {"name": "gru4rec", "width": 8}, "train": {"epochs": 3}}
    assert after.card["data"] == {"digest": "abc"} and after.card["history"][0]["loss"] == 0.1


COLUMNS = {
    "genres": np.array(["a|b", None, "", "é", "b"], dtype=object),
    "year": np.array([1999.0, np.nan, -0.0, 1e300, np.inf]),
}


def test_columns_that_describe_the_items_come_back(tmp_path: Path) -> None:
    keep(tmp_path / "model", item_table=Table(COLUMNS))
    after = load(tmp_path / "model").item_table
    assert after is not None and list(after.columns) == ["genres", "year"]
    assert after["genres"].tolist() == COLUMNS["genres"].tolist() and after["genres"].dtype == object
    assert after["year"].tobytes() == COLUMNS["year"].tobytes()


def test_a_model_without_such_columns_says_so_and_the_digest_is_the_same(tmp_path: Path) -> None:
    """No score depends on them, so the memories of a service stay good; models kept before are like these."""
    keep(tmp_path / "plain")
    keep(tmp_path / "empty", item_table=Table({}))
    keep(tmp_path / "described", item_table=Table(COLUMNS))
    plain, empty, described = (load(tmp_path / name) for name in ("plain", "empty", "described"))
    assert plain.item_table is None and empty.item_table is None and described.item_table is not None
    assert plain.digest == empty.digest == described.digest
    assert not (tmp_path / "plain" / TABLE).exists()


def test_damaged_columns_are_seen_when_the_model_is_loaded(tmp_path: Path) -> None:
    keep(tmp_path / "model", item_table=Table(COLUMNS))
    whole = (tmp_path / "model" / TABLE).read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        broken = bytearray(whole)
        broken[place] ^= 1
        (tmp_path / "model" / TABLE).write_bytes(broken)
        with pytest.raises(ArtifactError, match=f"damaged .{TABLE} is not what was written"):
            load(tmp_path / "model")
    (tmp_path / "model" / TABLE).unlink()
    with pytest.raises(ArtifactError, match=f"{TABLE} is missing"):
        load(tmp_path / "model")


@pytest.mark.parametrize("columns", [{"year": np.arange(4.0)}, {"year": np.arange(5)}, None], ids=str)
def test_columns_that_are_not_of_these_items_are_refused(columns: Any, tmp_path: Path) -> None:
    """With true hashes: somebody else's columns, or none at all."""
    folder = tmp_path / "model"
    keep(folder)
    if columns is None:
        (folder / TABLE).write_bytes(b"PAR1 no table PAR1")
    else:
        write_columns(folder / TABLE, columns, {})
    known = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (*PARTS, TABLE)}
    forge(folder, files=known)
    with pytest.raises(ArtifactError, match=TABLE) as caught:
        load(folder).item_table  # noqa: B018
    assert "\n" not in str(caught.value)


def test_the_digest_names_the_weights(tmp_path: Path) -> None:
    keep(tmp_path / "a")
    keep(tmp_path / "b")
    made = build("gru4rec", {"width": 8})
    next(iter(made.tensors().values())).view(-1)[0] += 1
    save(
        tmp_path / "c",
        made,
        Vocabulary(TEXT, first=1),
        {"model": {"name": "gru4rec", "width": 8}, "train": {"epochs": 3}},
    )
    a, b, c = (load(tmp_path / name).digest for name in "abc")
    assert a == b != c


def places(folder: Path) -> Iterator[tuple[str, int]]:
    for name in (*PARTS, CARD):
        size = (folder / name).stat().st_size
        for place in sorted({0, 1, size // 3, size // 2, size - 2, size - 1}):
            yield name, place


def test_a_flipped_bit_anywhere_is_one_clear_line(copy: Path) -> None:
    for name, place in places(copy):
        whole = (copy / name).read_bytes()
        for bit in (0x01, 0x20, 0x80):
            broken = bytearray(whole)
            broken[place] ^= bit
            (copy / name).write_bytes(broken)
            try:
                load(copy)
            except ArtifactError as error:
                assert "\n" not in str(error) and str(copy) in str(error)
            else:
                # JSON does not mind which white space stands around it: the card says the same, so it is the same.
                assert name == CARD and json.loads(broken) == json.loads(whole), (name, place, bit)
        (copy / name).write_bytes(whole)
    load(copy)


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_or_cut_file_is_named(name: str, copy: Path) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[:-1])
    with pytest.raises(ArtifactError, match=name):
        load(copy)
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        load(copy)
    (copy / name).mkdir()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        load(copy)


def forge(folder: Path, **changes: Any) -> None:
    """Write a card whose own check is right, as somebody who means harm would, with the files' true hashes."""
    card = json.loads((folder / CARD).read_text())
    card.pop("check")
    card["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PARTS}
    card |= changes
    (folder / CARD).write_text(json.dumps({**card, "check": digest(card)}))


def test_a_newer_format_is_called_so(copy: Path) -> None:
    forge(copy, version=2)
    with pytest.raises(ArtifactError, match="format 2.*update recollect"):
        load(copy)


@pytest.mark.parametrize(
    "changes",
    [{"files": ["a"]}, {"files": {"../../secret": "0" * 64}}, {"files": {}}, {"version": None}, {"format": "other"}],
    ids=str,
)
def test_a_card_that_lies_opens_nothing(changes: dict[str, Any], copy: Path) -> None:
    forge(copy, **changes)
    with pytest.raises(ArtifactError):
        load(copy)


@pytest.mark.parametrize("text", ["[]", "null", "{", "[" * 100_000, '"recollect-model"', "{}"])
def test_a_card_that_is_no_card(text: str, copy: Path) -> None:
    (copy / CARD).write_text(text)
    with pytest.raises(ArtifactError, match="card.json cannot be read"):
        load(copy)


@pytest.mark.parametrize(
    "settings",
    [
        '[model]\nname = "../../evil"\n',
        '[model]\nname = "os"\n',
        "[model]\nname = 3\n",
        "[model]\n",
        "model = 1\n",
        '[model]\nname = "gru4rec"\nwidht = 8\n',
        '[model]\nname = "gru4rec"\nwidth = 1000000000\n',
        '[model]\nname = "sasrec"\nwidth = 8\n',
        '[model]\nname = "popularity"\n',
        "not toml",
    ],
)
def test_hostile_settings_build_nothing(settings: str, copy: Path) -> None:
    (copy / SETTINGS).write_text(settings)
    forge(copy)
    with pytest.raises(ArtifactError) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_named(copy: Path) -> None:
    weights = load_file(copy / WEIGHTS)
    name = max(weights, key=lambda key: weights[key].numel())
    save_file({**weights, name: weights[name][:-1].clone()}, copy / WEIGHTS)
    forge(copy)
    with pytest.raises(ArtifactError, match=f"{name.removeprefix('model.')} has shape"):
        load(copy)
    weights.pop(name)
    save_file(weights, copy / WEIGHTS)
    forge(copy)
    with pytest.raises(ArtifactError, match="is missing"):
        load(copy)


@pytest.mark.parametrize("name", names())
def test_weights_of_another_type_are_refused(name: str, tmp_path: Path) -> None:
    if name == "hf":
        pytest.importorskip("transformers", reason="the extra hf is not installed")
    keep(tmp_path / "model", name)
    weights = load_file(tmp_path / "model" / WEIGHTS)
    for key in (max(weights, key=lambda one: weights[one].numel()), "catalog.counts"):
        other = torch.float16 if weights[key].is_floating_point() else torch.int32
        save_file({**weights, key: weights[key].to(other)}, tmp_path / "model" / WEIGHTS)
        forge(tmp_path / "model")
        with pytest.raises(ArtifactError, match=f"{key.removeprefix('model.').removeprefix('catalog.')} (is|are) "):
            load(tmp_path / "model")


@pytest.mark.parametrize(
    "items",
    [
        {"type": "integer", "ids": [1, "x"], "titles": None},
        {"type": "text", "ids": ["a"] * 6, "titles": None},
        {"type": "text", "ids": ["a"] * 5, "titles": ["b"]},
        {"ids": []},
        [],
    ],
    ids=str,
)
def test_items_that_do_not_fit(items: Any, copy: Path) -> None:
    (copy / ITEMS).write_text(json.dumps(items))
    forge(copy)
    with pytest.raises(ArtifactError):
        load(copy)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        load(tmp_path / "none")
    with pytest.raises(ArtifactError, match="no trained model"):
        load(tmp_path)
    (tmp_path / SETTINGS).write_text("")
    with pytest.raises(ArtifactError, match="recollect train --resume"):
        load(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_is_there_is_not_overwritten(kept: Path, tmp_path: Path) -> None:
    before = contents(kept)
    with pytest.raises(ArtifactError, match="something is there already"):
        keep(kept)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="something is there already"):
        keep(tmp_path, overwrite=True)
    with pytest.raises(ArtifactError, match="something is there already"):
        keep(tmp_path / "mine.txt", overwrite=True)
    assert contents(kept) == before and contents(tmp_path) == {"mine.txt": b"mine"}


def test_a_failing_save_leaves_the_old_one_whole(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(copy.parent)

    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    for place in ("save_file", "json.dumps", "os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(f"recollect.artifact.{place}", full)
            with pytest.raises(ArtifactError, match="the disk is full"):
                keep(copy, overwrite=True)
        assert contents(copy.parent) == before, place
    renamed = Path.rename

    def second_fails(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return renamed(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", second_fails)
        with pytest.raises(ArtifactError, match="Input/output error"):
            keep(copy, overwrite=True)
    assert contents(copy.parent) == before


def test_overwriting_keeps_what_is_named(copy: Path) -> None:
    (copy / "epochs.jsonl").write_text("{}")
    (copy / "checkpoint.safetensors").write_text("old")
    keep(copy, "popularity", overwrite=True, keep=["epochs.jsonl", "absent.txt"])
    assert sorted(contents(copy)) == sorted([*PARTS, CARD, "epochs.jsonl"])
    assert load(copy).name == "popularity"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_full_disk_is_called_so_whoever_says_it() -> None:
    said = 'Error while serializing: I/O error: Os { code: 28, kind: StorageFull, message: "No space left on device" }'
    assert "disk is full" in artifact.reason(RuntimeError(said))
    assert artifact.reason(OSError(13, "Permission denied")) == "Permission denied"


@pytest.mark.parametrize("name", ["popularity", "markov", "personal-popularity"])
def test_a_model_fitted_on_weighted_events_comes_back(name: str, tmp_path: Path) -> None:
    """Counts that are no whole numbers are counts as well."""
    kind = model_class(name)
    model = kind(kind.Config(), Catalog(6))  # type: ignore[call-arg]
    assert isinstance(model, Counting)
    items = np.array([1, 2, 3, 1, 2], dtype=np.int64)
    weights = np.array([0.5, 0, 1, 0.25, 1], dtype=np.float32)
    model.fit(Ragged(items, np.arange(5) * 60, np.array([0, 3, 5]), weights))
    known = Vocabulary(np.arange(10, 15), first=1)
    loaded = artifact.load(artifact.save(tmp_path / "kept", model, known, {"model": {"name": name}}))
    state = model.advance(model.fresh(1), Events.of([[1, 3]], [[0, 60]]))
    assert torch.equal(loaded.model.score(state), model.score(state))
