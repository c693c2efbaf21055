"""An item table that starts from given vectors (embeddings of texts or images, say) instead of random ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from recollect.config import ConfigError
from recollect.contracts import Network
from recollect.data.log import DataError, Vocabulary
from recollect.data.vector_files import read_vectors

SHOWN = 3
"""How many ids are shown as examples."""


def init_items(model: Network, items: Vocabulary, path: str, *, older: Vocabulary | None = None) -> Iterator[str]:
    """Set the rows of the item table that `path` has a vector for -> what was done, a line each.

    `older`: the items of a run whose weights are in the table; only those that it lacks start from a vector. Ids are
    matched as they are written. Raises DataError where the file cannot be used or knows none of the items, ConfigError
    where its vectors are of another width than the table.
    """
    place = {str(one): items.first + row for row, one in enumerate(items.ids.tolist())}
    learnt = set() if older is None else set(map(str, older.ids.tolist()))
    starting = [one for one in place if one not in learnt]
    if older is not None and not starting:
        yield f"no item is new, so none starts from {path}"
        return
    given = read_vectors(path)
    table = model.item_vectors()
    if not isinstance(table, nn.Parameter):
        raise ConfigError(f"train.init_items: {type(model).__name__} has no item table that could be set")
    width = table.shape[1]
    if given.width != width:
        settable = "width" in type(model.config).model_fields
        raise ConfigError(
            f"train.init_items: the vectors of {path} have {given.width} dimensions, the item table {width}; "
            + (f"set model.width={given.width}" if settable else "give it that width")
            + (f", or reduce the vectors to {width} (by PCA, say)" if given.width > width else "")
        )
    found = {one: row for row, one in enumerate(given.ids.tolist()) if one in place}
    if not found:
        raise DataError(
            f"{path}: none of its {len(given.ids):,} ids ({_some(given.ids.tolist())}) is an item of this log "
            f"({_some(list(place))})"
        )
    with_vector = [one for one in starting if one in found]
    codes = torch.tensor([place[one] for one in with_vector], dtype=torch.long)
    with torch.no_grad():
        table[codes.to(table.device)] = torch.from_numpy(given.vectors[[found[one] for one in with_vector]]).to(table)
    which = "items" if older is None else "new items"
    yield f"{len(with_vector):,} of {len(starting):,} {which} start from {path}"
    if left := [one for one in starting if one not in found]:
        yield f"without a vector, started fresh: {len(left):,} {which} ({_some(left)})"
    if len(found) < len(given.ids):
        yield f"vectors of no item of this log, not used: {len(given.ids) - len(found):,}"


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
