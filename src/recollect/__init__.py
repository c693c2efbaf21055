"""Recollect: sequential recommendation with a memory of constant size per user.

The public names resolve when they are first used, so that `import recollect` loads nothing heavy. In the order of use:
`read` or `simulate`, `loo` or `temporal`, `fit`, `rank`, `measure`, `recommend` or `recommend_all`, `load`; of what is
trained, `similar`, `score`, `vectors`, `user_vectors`, `explain`.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from recollect.version import __version__

_HOMES = {
    "read": "data.sources",
    "simulate": "data.simulate.generator",
    "EventLog": "data.log",
    "loo": "data.splits",
    "temporal": "data.splits",
    "Catalog": "contracts",
    "Events": "contracts",
    "Recommender": "contracts",
    "State": "contracts",
    "fit": "train.fit",
    "rank": "evaluate.ranking",
    "measure": "evaluate.metrics",
    "recommend": "recommend",
    "recommend_all": "answers.lists",
    "similar": "answers.similar",
    "score": "answers.pairs",
    "vectors": "answers.vectors",
    "user_vectors": "answers.vectors",
    "explain": "answers.explain",
    "load": "artifact",
    "model_names": "registry",
}
"""Public name -> the module it lives in."""

_ALIASES = {"model_names": "names"}
"""Public names that their own module calls something shorter."""

__all__ = [
    "Catalog",
    "EventLog",
    "Events",
    "Recommender",
    "State",
    "__version__",
    "explain",
    "fit",
    "load",
    "loo",
    "measure",
    "model_names",
    "rank",
    "read",
    "recommend",
    "recommend_all",
    "score",
    "similar",
    "simulate",
    "temporal",
    "user_vectors",
    "vectors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recollect' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"recollect.{_HOMES[name]}"), _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """Keeps the function `recommend` public: importing the module of that name would put itself in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "recommend" and isinstance(value, types.ModuleType):
            value = value.recommend
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

if TYPE_CHECKING:
    from recollect.answers.explain import explain as explain
    from recollect.answers.lists import recommend_all as recommend_all
    from recollect.answers.pairs import score as score
    from recollect.answers.similar import similar as similar
    from recollect.answers.vectors import user_vectors as user_vectors
    from recollect.answers.vectors import vectors as vectors
    from recollect.artifact import load as load
    from recollect.contracts import Catalog as Catalog
    from recollect.contracts import Events as Events
    from recollect.contracts import Recommender as Recommender
    from recollect.contracts import State as State
    from recollect.data.log import EventLog as EventLog
    from recollect.data.simulate.generator import simulate as simulate
    from recollect.data.sources import read as read
    from recollect.data.splits import loo as loo
    from recollect.data.splits import temporal as temporal
    from recollect.evaluate.metrics import measure as measure
    from recollect.evaluate.ranking import rank as rank
    from recollect.recommend import recommend as recommend
    from recollect.registry import names as model_names
    from recollect.train.fit import fit as fit
