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


def init_items(model: Network, items: Vocabulary, path: str) -> Iterator[str]:
    """Set the rows of the item table that `path` has a vector for -> what was done, a line each.

    Ids are matched as they are written. Raises DataError where the file cannot be used or knows none of the items,
    ConfigError where its vectors are of another width than the table.
    """
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
    place = {str(one): items.first + row for row, one in enumerate(items.ids.tolist())}
    rows = [row for row, one in enumerate(given.ids.tolist()) if one in place]
    if not rows:
        raise DataError(
            f"{path}: none of its {len(given.ids):,} ids ({_some(given.ids.tolist())}) is an item of this log "
            f"({_some(list(place))})"
        )
    codes = torch.tensor([place[given.ids[row]] for row in rows])
    with torch.no_grad():
        table[codes.to(table.device)] = torch.from_numpy(given.vectors[rows]).to(table)
    left = len(items) - len(rows)
    yield f"{len(rows):,} of {len(items):,} items start from {path}"
    if left:
        known = {given.ids[row] for row in rows}
        yield f"without a vector, started fresh: {left:,} items ({_some([one for one in place if one not in known])})"
    if len(rows) < len(given.ids):
        yield f"vectors of no item of this log, not used: {len(given.ids) - len(rows):,}"


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
