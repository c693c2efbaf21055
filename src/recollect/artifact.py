"""A trained model as a folder that can be kept, moved and loaded without running code out of it.

Settings are TOML, weights safetensors, items and card JSON; nothing is pickled. A folder appears whole or not at all,
and every byte of it is checked when it is loaded, so that damage is said and never recommended from.
"""

from __future__ import annotations

import dataclasses
import datetime
import errno
import functools
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as _load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from recollect.answers.answering import Answering
from recollect.config import ConfigError, decode, digest, read_toml, to_toml
from recollect.contracts import Catalog, Network, Recommender
from recollect.data.learnt_events import RECORD, LearntEvents
from recollect.data.log import DataError, Table, Vocabulary
from recollect.data.parquet import columns_in, write_columns
from recollect.data.seen import Seen
from recollect.display import Display, Displayed
from recollect.registry import hindrance, model_class
from recollect.version import __version__

FORMAT = "recollect-model"
VERSION = 1
SETTINGS, WEIGHTS, ITEMS, CARD = "run.toml", "weights.safetensors", "items.json", "card.json"
PARTS = (SETTINGS, WEIGHTS, ITEMS)
"""The files that make the model, and its digest. The card knows their sha256."""
TABLE = "item-table.parquet"
"""The columns that describe the items, where there are any: checked as the parts are, and no part of the digest, since
no score depends on them. So is the record of the events learnt from. No other name in a card is ever looked at."""

_COUNTS, _MODEL = "catalog.counts", "model."


class ArtifactError(ValueError):
    """A folder is no usable model. The message says which folder, what is wrong, and what to do."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Artifact(Answering, Displayed):
    """A trained model, ready to score, with the items it knows and how it came about."""

    folder: Path
    name: str
    """The name of the model, as `recollect models` lists it."""
    model: Recommender
    items: Vocabulary
    titles: np.ndarray
    """[vocabulary size] object: a name to show for every item code; the id itself where there was no title."""
    settings: Mapping[str, Any]
    """All of run.toml, as plain values."""
    card: Mapping[str, Any]
    """What else is known: digest, created, version, data, protocol, validation, history, seconds."""
    table: bytes | None = dataclasses.field(default=None, repr=False)
    """What `item_table` is read from when it is first asked for."""

    @property
    def digest(self) -> str:
        """Twelve hex digits that name the weights, the items and the settings."""
        return str(self.card["digest"])

    @functools.cached_property
    def item_table(self) -> Table | None:
        """Columns that describe the items (genres, year), in the order of their ids; None where none were kept."""
        return None if self.table is None else _read_table(self.folder, self.table, self.items)

    @property
    def seen(self) -> Seen:
        """Whether items that a user had may be recommended, as in training's validation."""
        return "allowed" if self.settings.get("evaluate", {}).get("seen") == "allowed" else "hidden"

    @property
    def request_time(self) -> bool:
        """Whether validation told the model the time of each request, if it uses that."""
        return bool(self.settings.get("evaluate", {}).get("request_time") == "used")

    @property
    def clock(self) -> bool:
        """Whether the log of training had times."""
        return bool(self.card.get("data", {}).get("clock", True))

    @property
    def log(self) -> None:
        """A kept model has no log in memory: its methods are given one."""
        return None

    def _display(self) -> Display:
        data = self.card.get("data", {})
        learnt = sum(one.numel() for one in self.model.parameters()) if isinstance(self.model, Network) else 0
        facts = [
            ("model", f"{self.name} [{self.digest}]"),
            ("folder", str(self.folder)),
            ("items", f"{len(self.items):,}"),
            *([("parameters", f"{learnt:,}")] if learnt else []),
            *([("data", f"{data['name']} [{data['digest']}]")] if {"name", "digest"} <= set(data) else []),
            *([("best epoch", str(self.card["best epoch"]))] if self.card.get("best epoch") else []),
            *((what, str(self.card[what])) for what in ("created", "recollect") if what in self.card),
        ]
        return Display("Artifact", facts)


def save(
    folder: str | Path,
    model: Recommender,
    items: Vocabulary,
    settings: Mapping[str, Any],
    *,
    titles: np.ndarray | None = None,
    item_table: Table | None = None,
    record: LearntEvents | None = None,
    about: Mapping[str, Any] | None = None,
    keep: Iterable[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a trained model to `folder`, whole or not at all.

    `settings`: plain values; `settings["model"]` holds the model's name and its own fields. `item_table`: columns that
    describe the items, in the order of their ids. `record`: which events it has learnt from. `about`: what the card
    says beside (data, protocol, validation figures, training history). With `overwrite` a run or an older model there
    is replaced, and of its other files those named in `keep` stay. Raises ArtifactError where it cannot be written;
    what was there before is then still there. Warns where the name is not registered for the model's class, so that
    `load` will not find it.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not _may_replace(folder, overwrite):
        raise ArtifactError(f"{folder}: something is there already; choose another folder")
    beside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent))
        _write(beside / "new", model, items, settings, titles, item_table, record, about or {})
        for name in keep:
            if (folder / name).is_file():
                shutil.copy2(folder / name, beside / "new" / name)
        if folder.exists():
            folder.rename(beside / "old")
        (beside / "new").rename(folder)
    except (OSError, SafetensorError, DataError) as error:
        raise ArtifactError(f"{folder}: cannot be written ({reason(error)})") from None
    finally:
        if beside is not None:
            if (beside / "old").exists() and not folder.exists():
                (beside / "old").rename(folder)
            shutil.rmtree(beside, ignore_errors=True)
    if why := hindrance(str(settings["model"]["name"]), type(model)):
        warnings.warn(f"{folder}: {why}", stacklevel=2)
    return folder


def load(folder: str | Path, *, device: torch.device | str | None = None) -> Artifact:
    """Read a trained model back, in evaluation mode, on `device` (the CPU by default).

    Raises ArtifactError where the folder is no model, is of a newer format, lacks a file or is damaged.
    """
    folder = Path(folder)
    card = read_card(folder)
    parts = {name: _part(folder, name, card) for name in PARTS}
    table, _ = (_part(folder, name, card) if name in card["files"] else None for name in (TABLE, RECORD))
    try:
        settings = read_toml(folder / SETTINGS)
        fields = dict(settings["model"])
        name = fields.pop("name")
        kind = model_class(name)
        config = decode(kind.Config, fields, where="model")
        items, titles = _read_items(parts[ITEMS])
        tensors = _load_tensors(parts[WEIGHTS])
        counts = tensors.pop(_COUNTS).numpy()
        if counts.dtype != np.int64:
            raise ValueError(f"counts are {counts.dtype}, not int64")
        if counts.shape != (items.size,):
            raise ValueError(f"counts of {len(counts)} items instead of {items.size}")
        weights = {key.removeprefix(_MODEL): tensor for key, tensor in tensors.items()}
        catalog = Catalog(items.size, counts)
        if issubclass(kind, Network):
            _check_shapes(kind, config, catalog, weights)
        model: Recommender = kind(config, catalog)  # type: ignore[call-arg]
        _check_types(model, weights)
        model.restore(weights)
    except ConfigError as error:
        raise ArtifactError(f"{folder}: its settings do not fit this version of recollect: {error}") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{folder}: {what}; the model cannot be rebuilt from it, train it again") from None
    if isinstance(model, nn.Module):
        model.eval()
        if device is not None:
            model.to(device)
    return Artifact(folder, name, model, items, titles, settings, card, table)


def items_described(folder: str | Path) -> tuple[Vocabulary, Table | None]:
    """The items of a trained model and the columns that describe them, titles at least, without its weights.

    Raises ArtifactError.
    """
    folder = Path(folder)
    card = read_card(folder)
    try:
        items, titles = _read_items(data := _part(folder, ITEMS, card))
        titled = json.loads(data)["titles"] is not None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise _damaged(folder, f"{ITEMS}: {error}") from None
    if TABLE in card["files"]:
        return items, _read_table(folder, _part(folder, TABLE, card), items)
    return items, Table({"title": titles[items.first :]}) if titled else None


def record_in(folder: str | Path) -> LearntEvents | None:
    """Which events a trained model has learnt from; None where it has no record. One of a version that did not check it
    is taken as it is. Raises ArtifactError, or DataError where that one is damaged.
    """
    folder = Path(folder)
    card = read_card(folder)
    if RECORD in card["files"]:
        _part(folder, RECORD, card)
    return LearntEvents.load(folder / RECORD) if (folder / RECORD).is_file() else None


def verify(folder: str | Path, names: Iterable[str] = (*PARTS, TABLE, RECORD)) -> None:
    """Raise ArtifactError where a file of a trained model is not what was written."""
    card = read_card(Path(folder))
    for name in names:
        if name in card["files"]:
            _part(Path(folder), name, card)


def is_artifact(folder: str | Path) -> bool:
    """True if a folder says it is a trained model (whether it is whole is another question)."""
    try:
        return f'"{FORMAT}"' in (Path(folder) / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def reason(error: Exception) -> str:
    """Why something could not be written, in words; a full disk is always called so."""
    text = str(error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "StorageFull" in text or "No space left" in text:
        return "the disk is full; free some space and try again"
    return (error.strerror if isinstance(error, OSError) else None) or (text.splitlines() or [type(error).__name__])[0]


def _may_replace(folder: Path, overwrite: bool) -> bool:
    if not folder.is_dir():
        return False
    return not any(folder.iterdir()) or (overwrite and (folder / SETTINGS).is_file())


def _write(
    folder: Path,
    model: Recommender,
    items: Vocabulary,
    settings: Mapping[str, Any],
    titles: np.ndarray | None,
    item_table: Table | None,
    record: LearntEvents | None,
    about: Mapping[str, Any],
) -> None:
    folder.mkdir()
    (folder / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    counts = model.catalog.counts
    tensors = {f"{_MODEL}{name}": tensor for name, tensor in model.tensors().items()}
    tensors[_COUNTS] = torch.zeros(items.size, dtype=torch.int64) if counts is None else torch.as_tensor(counts)
    # A copy of each: the format refuses tensors that share memory.
    save_file({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod((folder / SETTINGS).stat().st_mode)  # it is written for its owner only, whatever the umask
    names = None if titles is None else [None if t == "" else str(t) for t in titles[items.first :]]
    listed = {"type": "text" if items.ids.dtype == object else "integer", "ids": items.ids.tolist(), "titles": names}
    (folder / ITEMS).write_text(json.dumps(listed), encoding="ascii")
    if item_table is not None and item_table.columns:
        write_columns(folder / TABLE, item_table.columns, {})
    if record is not None:
        record.save(folder / RECORD)
    written = [*PARTS, *(name for name in (TABLE, RECORD) if (folder / name).is_file())]
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in written}
    card = {
        "format": FORMAT,
        "version": VERSION,
        "recollect": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "digest": digest({name: files[name] for name in PARTS}),
        **about,
        "files": files,
    }
    card = json.loads(json.dumps(card))  # as it will be read back, so that its own check agrees
    (folder / CARD).write_text(json.dumps({**card, "check": digest(card)}, indent=1), encoding="ascii")
    for name in (*written, CARD):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())


def read_card(folder: Path) -> dict[str, Any]:
    """What is known of a trained model, without loading it. Raises ArtifactError."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder; give the folder of a trained model (recollect train --out)")
    if not (folder / CARD).is_file():
        if (folder / SETTINGS).is_file():
            raise ArtifactError(
                f"{folder}: a run that has not ended yet; go on with: recollect train --resume {folder}"
            )
        raise ArtifactError(f"{folder}: no trained model in this folder (there is no {CARD})")
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise KeyError("format")
        version, check = int(card["version"]), card.pop("check", None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(folder, f"{CARD} cannot be read") from None
    if version > VERSION:
        raise ArtifactError(
            f"{folder}: written in format {version}, and this version reads up to {VERSION}; update recollect"
        )
    if check != digest(card) or not isinstance(card.get("files"), dict):
        raise _damaged(folder, f"{CARD} is not what was written")
    return dict(card)


def _part(folder: Path, name: str, card: Mapping[str, Any]) -> bytes:
    path = folder / name
    if not path.is_file():
        raise _damaged(folder, f"{name} is missing")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != card["files"].get(name):
        raise _damaged(folder, f"{name} is not what was written")
    return data


def _read_items(data: bytes) -> tuple[Vocabulary, np.ndarray]:
    listed = json.loads(data)
    integer = listed["type"] == "integer"
    ids = np.array(listed["ids"], dtype=np.int64) if integer else np.empty(len(listed["ids"]), dtype=object)
    if not integer:
        ids[:] = [str(one) for one in listed["ids"]]
    titles = np.array(["", *map(str, ids.tolist())], dtype=object)
    if listed["titles"] is not None:
        if len(listed["titles"]) != len(ids):
            raise ValueError(f"{len(listed['titles'])} titles for {len(ids)} items")
        known = [place for place, title in enumerate(listed["titles"]) if title is not None]
        for place in known:
            titles[1 + place] = str(listed["titles"][place])
    return Vocabulary(ids, first=1), titles


def _read_table(folder: Path, data: bytes, items: Vocabulary) -> Table:
    try:
        columns, _ = columns_in(data, TABLE)
    except DataError as error:
        raise _damaged(folder, str(error)) from None
    for name, column in columns.items():
        if column.dtype not in (object, np.float64) or len(column) != len(items):
            raise _damaged(folder, f"{TABLE}: its column {name!r} is not one for {len(items)} items")
    return Table(columns)


def _check_shapes(kind: type[Network], config: Any, catalog: Catalog, weights: Mapping[str, Tensor]) -> None:
    """Compare before anything large is made: settings and weights that disagree could ask for any amount of memory."""
    with torch.device("meta"):
        wanted = kind(config, catalog).state_dict()  # type: ignore[call-arg]
    for name in sorted({*wanted, *weights}):
        if name not in wanted or name not in weights:
            raise ValueError(f"weights: {name} is {'missing' if name in wanted else 'no part of this model'}")
        if wanted[name].shape != weights[name].shape:
            raise ValueError(
                f"weights: {name} has shape {list(weights[name].shape)}, the settings say {list(wanted[name].shape)}"
            )


def _check_types(model: Recommender, weights: Mapping[str, Tensor]) -> None:
    """Numbers of another type than the model's own would be taken over, rounded, without a word."""
    for name, wanted in model.tensors().items():
        given = weights[name].dtype if name in weights else wanted.dtype
        counted = wanted.dtype == torch.float64 and given == torch.int64  # what was kept before counts had parts
        if given != wanted.dtype and not counted:
            raise ValueError(f"weights: {name} is {weights[name].dtype}, where the model has {wanted.dtype}")


def _damaged(folder: Path, what: str) -> ArtifactError:
    return ArtifactError(f"{folder}: this model is damaged ({what}); copy it again or train it again")
