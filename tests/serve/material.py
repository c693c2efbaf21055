"""Small models as artifacts, without training: every registered one, over one catalogue of text ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recollect.artifact import Artifact
from recollect.contracts import Recommender
from recollect.data.log import Vocabulary

from ..conformance.material import SIZE
from ..conformance.subjects import registered

ITEMS = Vocabulary(np.array([f"item-{code:02}" for code in range(1, SIZE)], dtype=object), first=1)
TITLES = np.array(["", *(f"Title {code}" for code in range(1, SIZE))], dtype=object)


def artifact(
    name: str, *, digest: str = "0123456789ab", model: Recommender | None = None, seen: str | None = None
) -> Artifact:
    """A model that counts is fitted, the weights of a network are random. `seen`: that of the run's settings."""
    settings = {} if seen is None else {"evaluate": {"seen": seen}}
    card = {"digest": digest, "data": {"clock": True}}
    return Artifact(Path(name), name, model or registered(name), ITEMS, TITLES, settings, card)
