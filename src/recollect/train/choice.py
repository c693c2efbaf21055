"""Which model `fit` was asked for: by name, by its class, or by its settings, which know the class they belong to."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from recollect.config import ConfigError, Settings, decode
from recollect.contracts import Recommender
from recollect.registry import model_class, name_of
from recollect.train.settings import INIT_ITEMS

Model = str | type[Recommender] | Settings
"""`"sasrec"`, `SASRec`, or `SASRec.Config(width=128)`."""


def chosen(model: Model, fields: Mapping[str, Any] | Settings | None) -> tuple[str, type[Recommender], Settings]:
    """-> the model's name (the class's own where it is not registered), its class, its settings. Raises ConfigError.

    `fields`: the model's own settings, as plain values or as its Config.
    """
    if isinstance(model, Settings):
        if fields is not None:
            raise ConfigError(f"{type(model).__qualname__} holds the model's settings already; leave model= out")
        fields, model = model, _owner(model)
    if isinstance(model, str):
        name, kind = model, model_class(model)
    elif inspect.isclass(model) and issubclass(model, Recommender):
        name, kind = name_of(model) or model.__name__, model
    else:
        raise ConfigError(
            f"a model is named ('sasrec'), or given as its class or its Config, not as {type(model).__name__}"
        )
    if isinstance(fields, Settings):
        if type(fields) is not kind.Config:
            raise ConfigError(f"model: {type(fields).__qualname__} holds no settings of {name}")
        return name, kind, fields
    return name, kind, decode(kind.Config, fields or {}, where="model")


def vectors_apart(
    model: Model, fields: Mapping[str, Any] | Settings | None
) -> tuple[Mapping[str, Any] | Settings | None, Any]:
    """-> the model's own settings without `init_items`, and what that was; training takes it (`train.init_items`)."""
    if not isinstance(fields, Mapping) or INIT_ITEMS not in fields:
        return fields, None
    if INIT_ITEMS in chosen(model, None)[1].Config.model_fields:
        return fields, None
    return {name: value for name, value in fields.items() if name != INIT_ITEMS}, fields[INIT_ITEMS]


def _owner(config: Settings) -> type[Recommender]:
    """The model class that a Config is nested in. Raises ConfigError where it is the Config of subclasses as well."""
    found: Any = sys.modules.get(type(config).__module__)
    for part in type(config).__qualname__.split(".")[:-1]:
        found = getattr(found, part, None)
    if inspect.isclass(found) and issubclass(found, Recommender) and found.Config is type(config):
        if heirs := [one.__name__ for one in _subclasses(found) if one.Config is type(config)]:
            raise ConfigError(
                f"{type(config).__qualname__} is the Config of {found.__name__} and of {', '.join(heirs)}, which "
                f"take{'s' * (len(heirs) == 1)} it over; name the class: fit({heirs[0]}, ..., model=Config)"
            )
        return found
    raise ConfigError(f"{type(config).__qualname__} is nested in no model class; give that class, and model=Config")


def _subclasses(kind: type[Recommender]) -> Iterator[type[Recommender]]:
    """Those that were defined so far, however deep."""
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
