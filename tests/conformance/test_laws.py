"""Every law on every registered model. A new file in `models/` is found here with nothing edited."""

from __future__ import annotations

import functools

import pytest

from recollect import registry
from recollect.contracts import Recommender

from .laws import LAWS
from .subjects import ready, registered, variants

model_named = functools.cache(registered)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", registry.names())
def test_law(name: str, law: str) -> None:
    model: Recommender = model_named(name)
    if not isinstance(model, LAWS[law].kind):
        pytest.skip(f"{law} speaks of {LAWS[law].kind.__name__} models only")
    LAWS[law](model)


@pytest.mark.parametrize("name", registry.names())
def test_laws_with_each_switch_turned(name: str) -> None:
    broken = _broken_by_switches(name, [law for law in LAWS if law != "finite"])
    assert not broken, "\n".join(broken)


@pytest.mark.long
@pytest.mark.parametrize("name", registry.names())
def test_finite_with_each_switch_turned(name: str) -> None:
    broken = _broken_by_switches(name, ["finite"])
    assert not broken, "\n".join(broken)


def _broken_by_switches(name: str, laws: list[str]) -> list[str]:
    """Every law that some switch breaks, not only the first."""
    kind = registry.model_class(name)
    broken = []
    for switch, settings in variants(kind):
        model = ready(kind, settings)
        for law in laws:
            if issubclass(kind, LAWS[law].kind):
                try:
                    LAWS[law](model)
                except Exception as error:
                    broken.append(f"{switch}: {law}: {type(error).__name__}: {error}")
    return broken


def test_the_suite_finds_the_models() -> None:
    assert {"popularity", "markov", "itemknn"} <= set(registry.names())
