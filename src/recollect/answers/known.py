"""A model together with the names of its items: what every answer starts from. `Trained` and `Artifact` are two."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from recollect.config import ConfigError
from recollect.contracts import Recommender
from recollect.data.log import EventLog, Table, Vocabulary
from recollect.data.seen import Seen
from recollect.data.sources import read
from recollect.data.titles import resolve_item


class Known(Protocol):
    """A trained model, its items, and how it was trained to be asked."""

    @property
    def name(self) -> str:
        """The name of the model."""
        ...

    @property
    def model(self) -> Recommender: ...

    @property
    def items(self) -> Vocabulary: ...

    @property
    def titles(self) -> np.ndarray:
        """[vocabulary size] object: a name to show for every item code."""
        ...

    @property
    def item_table(self) -> Table | None:
        """Columns that describe the items (genres, year), in the order of their ids."""
        ...

    @property
    def seen(self) -> Seen:
        """Whether items that a user had may be recommended, where the request leaves it open."""
        ...

    @property
    def request_time(self) -> bool:
        """Whether the model was evaluated with the time of each request, if it uses that."""
        ...

    @property
    def clock(self) -> bool:
        """Whether the model was trained on times; if not, it is shown none."""
        ...

    @property
    def log(self) -> EventLog | None:
        """The log whose histories answer where the request names none."""
        ...


def log_for(known: Known, log: Any) -> EventLog:
    """The log of a request: an EventLog, whatever `read` takes, or None for the model's own."""
    if log is not None:
        return read(log)
    if known.log is None:
        raise ConfigError(f"{known.name}: kept without its log; give one, as recollect.read gives it")
    return known.log


def code_of(known: Known, item: Any) -> int:
    """The code of an item by id, or by its title as a person writes it. DataError where it means none or several."""
    code = known.items.find(item)
    return code if code is not None else resolve_item(str(item), known.items, known.titles)
