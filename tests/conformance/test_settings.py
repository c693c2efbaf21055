"""Whatever value a model's setting is given: it is refused by name in one line, or the model works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from recollect import registry
from recollect.config import ConfigError, Settings, decode
from recollect.contracts import Counting, Network

from .material import answers, catalog, events, training_log
from .subjects import built

TRIED = [-1, 0, 1, 3, 4, 0.5, "text", None]


def numbers(kind: type[Settings], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every setting that is a number, those of its sections too."""
    for name, field in kind.model_fields.items():
        default = field.get_default()
        if isinstance(default, Settings):
            yield from numbers(type(default), (*above, name))
        elif isinstance(default, int | float) and not isinstance(default, bool):
            yield (*above, name)


def nested(path: tuple[str, ...], value: object) -> Mapping[str, Any]:
    return {path[0]: value if len(path) == 1 else nested(path[1:], value)}


@pytest.mark.parametrize("name", registry.names())
def test_a_number_is_refused_in_one_line_or_works(name: str) -> None:
    kind, batch, log = registry.model_class(name), events([0, 5, 2]), training_log(12)
    for path in numbers(kind.Config):
        accepted = 0
        for value in TRIED:
            try:
                config = decode(kind.Config, nested(path, value), where="model")
                model = built(kind, config, catalog())
            except ConfigError as error:
                assert "\n" not in str(error)
                continue
            if isinstance(model, Counting):
                model.fit(log)
            assert answers(model, batch).shape[0] == 3, f"{path} = {value}"
            accepted += 1
        assert accepted > 0, f"no value of {path} was accepted"


@pytest.mark.parametrize("name", registry.names())
def test_every_network_can_look_at_what_was_met(name: str) -> None:
    kind = registry.model_class(name)
    if issubclass(kind, Network):
        config = decode(kind.Config, {"repeat": 5}, where="model")
        model = built(kind, config, catalog())
        assert model.met_events == 5 and any(part.startswith("repeat.") for part in model.tensors())
