"""Model names to classes: a file in `models/` is a model of that name; other packages use an entry point.

The one place that reaches up a layer, by name and only when asked: `recollect models` lists names without importing
any of them. An outside package registers with the entry-point group `recollect.models`, name -> class.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from recollect.config import ConfigError, did_you_mean

if TYPE_CHECKING:
    from recollect.contracts import Recommender

ENTRY_POINT_GROUP = "recollect.models"


def names() -> list[str]:
    """Every model that can be asked for, sorted."""
    return sorted({*_built_in(), *_foreign()})


def model_class(name: str) -> type[Recommender]:
    """The class behind a name, built-in or from another package."""
    foreign = _foreign()
    if name in foreign:
        return _checked(name, foreign[name].load())
    if name not in _built_in():
        raise ConfigError(f"no model is called {name!r}{did_you_mean(name, names())}")
    module = importlib.import_module(f"recollect.models.{name.replace('-', '_')}")
    from recollect.contracts import Recommender

    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Recommender) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ConfigError(f"{module.__name__} must define exactly one Recommender; it defines {len(found)}")
    return _checked(name, found[0])


def name_of(kind: type[Recommender]) -> str | None:
    """The name that a class is registered under; None for a class that only its author knows."""
    module = kind.__module__.removeprefix("recollect.models.")
    own = module.replace("_", "-") if module != kind.__module__ else None
    if own in _built_in() and own not in _foreign():
        return own
    value = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, point in _foreign().items() if point.value == value), None)


def hindrance(name: str, kind: type[Recommender]) -> str | None:
    """Why a model that is kept under a name will not be loaded by it, and what to do."""
    if name_of(kind) == name:
        return None
    try:
        if model_class(name) is kind:
            return None
        what = f"{name!r} is registered for another class than {kind.__qualname__}"
    except (ConfigError, ImportError):
        what = f"no model is registered as {name!r}"
    place = f'[project.entry-points."{ENTRY_POINT_GROUP}"] {name} = "{kind.__module__}:{kind.__qualname__}"'
    return f"{what}, so load and the commands cannot read this model back; add {place} to its package and install it"


def _built_in() -> list[str]:
    spec = importlib.util.find_spec("recollect")
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    return [m.name.replace("_", "-") for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_")]


def _foreign() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}


def _checked(name: str, found: object) -> type[Recommender]:
    from recollect.contracts import Recommender

    if not (inspect.isclass(found) and issubclass(found, Recommender)):
        raise ConfigError(f"model {name!r} is registered as {found!r}, which is not a Recommender class")
    return found
