"""Small models as artifacts, without training: every registered one, over one catalogue of text ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recollect.artifact import Artifact
from recollect.config import decode, plain
from recollect.contracts import Recommender
from recollect.data.log import Vocabulary
from recollect.registry import model_class

from ..conformance.material import SIZE
from ..conformance.subjects import ready, registered, small

ITEMS = Vocabulary(np.array([f"item-{code:02}" for code in range(1, SIZE)], dtype=object), first=1)
TITLES = np.array(["", *(f"Title {code}" for code in range(1, SIZE))], dtype=object)


TOLD = "told"
"""Stands for a model that looks at all that a request can say: the time of asking, and what the user has met."""


def told(name: str = "mlstm4rec") -> Recommender:
    """A network with every switch of time on, and a repeat head that looks at the last six events."""
    kind = model_class(name)
    switches = {"repeat": 6, "time": {"gaps": True, "stream": True, "request": True}}
    return ready(kind, decode(kind.Config, {**plain(small(kind)), **switches}, where="model"))


def artifact(
    name: str, *, digest: str = "0123456789ab", model: Recommender | None = None, seen: str | None = None
) -> Artifact:
    """A model that counts is fitted, the weights of a network are random. `seen`: that of the run's settings."""
    if model is None:
        model = told() if name == TOLD else registered(name)
    settings = {} if seen is None else {"evaluate": {"seen": seen}}
    card = {"digest": digest, "data": {"clock": True}}
    return Artifact(Path(name), name, model, ITEMS, TITLES, settings, card)
