"""Adding a model is writing one file: whatever lies in `models/` has a name, a class and settings."""

from __future__ import annotations

import pytest

from recollect import registry
from recollect.config import Settings
from recollect.contracts import Carried, Counting, Recommender, Window

from .tree import PACKAGE

FILES = sorted(path.stem for path in (PACKAGE / "models").glob("[a-z]*.py"))


def test_every_file_is_a_model() -> None:
    assert FILES
    assert {name.replace("_", "-") for name in FILES} <= set(registry.names())


@pytest.mark.parametrize("file", FILES)
def test_a_model_is_of_one_kind_and_has_settings(file: str) -> None:
    found = registry.model_class(file.replace("_", "-"))
    assert issubclass(found, Recommender)
    assert sum(issubclass(found, kind) for kind in (Counting, Carried, Window)) == 1
    assert issubclass(found.Config, Settings)
    found.Config()  # every setting has a default
