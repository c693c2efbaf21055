"""Every registered model, small: settings a model happens to have are made small, whatever model it is.

Nothing here names a model. A network's parameters are moved off their start, where gates and biases are often zero.
"""

from __future__ import annotations

import contextlib
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from pydantic import BaseModel

from recollect import registry
from recollect.config import ConfigError, Settings, apply_sets, decode, plain
from recollect.contracts import Catalog, Counting, Network, Recommender

from ..device import ACCELERATED, DEVICE
from .material import catalog, training_log

SMALL = {"width": 16, "heads": 2, "window": 12, "recent": 5, "history": 6, "neighbours": 9, "blocks": 2, "hidden": 16}


ON = {"repeat": 6, "time.gaps": True, "time.stream": True, "time.request": True}
"""What a network may be given of the request and of time: these are turned on all at once."""


def small(kind: type[Recommender]) -> Settings:
    """The default settings of a model, with the sizes of `SMALL` where it has them and allows them."""
    chosen: dict[str, object] = {}
    for name, size in SMALL.items():
        if name in kind.Config.model_fields:
            try:
                decode(kind.Config, {**chosen, name: size}, where=name)
            except ConfigError:
                continue
            chosen[name] = size
    return decode(kind.Config, chosen, where="model")


def unsettle(network: Network, seed: int = 0, noise: float = 0.15) -> None:
    """Add noise to every parameter, so that nothing is hidden by a weight that starts at zero."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=draw).to(parameter.device))


def ready(kind: type[Recommender], settings: Settings | None = None) -> Recommender:
    """A model to be asked: fitted if it counts, unsettled and in evaluation mode if it is a network."""
    torch.manual_seed(0)
    model = built(kind, settings or small(kind), catalog())
    if isinstance(model, Counting):
        model.fit(training_log())
    if isinstance(model, Network):
        unsettle(model)
        model.eval()
    return model


def built(kind: type[Recommender], settings: Settings, items: Catalog) -> Recommender:
    """The model on the device of the tests, or a test skipped for want of an extra, or of anything to do there."""
    if ACCELERATED and issubclass(kind, Counting):
        pytest.skip("counts live on the CPU, and have been tried there")
    try:
        model = kind(settings, items)  # type: ignore[call-arg]
        return model.to(DEVICE) if isinstance(model, Network) else model
    except ConfigError as error:
        if isinstance(error.__context__, ImportError):
            pytest.skip(str(error))
        raise


def registered(name: str) -> Recommender:
    return ready(registry.model_class(name))


def variants(kind: type[Recommender]) -> Iterator[tuple[str, Settings]]:
    """The small settings with one switch turned, for each choice or yes-or-no setting a model has, nested or not; and
    with all of `ON` that it has."""
    plainly = plain(small(kind))
    turned = [[(path, value)] for path, value in _switches(kind.Config) if path not in ON]
    for some in [*turned, [(path, value) for path, value in ON.items() if _has(plainly, path)]]:
        changed = apply_sets(plainly, [f"{path}={json.dumps(value)}" for path, value in some])
        if changed != plainly:
            with contextlib.suppress(ConfigError):  # a choice that needs another setting with it
                yield ", ".join(f"{path}={value}" for path, value in some), decode(kind.Config, changed, where="model")


def _has(settings: Mapping[str, Any], path: str) -> bool:
    first, _, rest = path.partition(".")
    return first in settings and (not rest or _has(settings[first], rest))


def _switches(settings: type[BaseModel]) -> Iterator[tuple[str, object]]:
    for name, field in settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from ((f"{name}.{path}", value) for path, value in _switches(annotation))
        elif annotation is bool:
            yield from ((name, value) for value in (False, True))
        elif typing.get_origin(annotation) is typing.Literal:
            yield from ((name, value) for value in typing.get_args(annotation))
