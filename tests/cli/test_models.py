"""`recollect models` lists every model and every setting, with a meaning each: a setting nobody explains is a bug."""

from __future__ import annotations

import pytest

from recollect.cli.models import spell
from recollect.registry import names

from .conftest import Command


def test_every_model_is_listed_with_its_kind(recollect: Command) -> None:
    listed = recollect("models", "--json").json
    assert [row["name"] for row in listed] == names()
    assert {row["kind"] for row in listed} == {"counting", "carried", "window"}
    assert all(row["about"] for row in listed)
    shown = recollect("models").out
    assert all(name in shown for name in names())


@pytest.mark.parametrize("name", [*names(), "--run"])
def test_every_setting_has_a_meaning_and_can_be_set(name: str, recollect: Command) -> None:
    rows = recollect("models", name, "--json").json
    assert all(row["meaning"] and row["type"] for row in rows), [r["path"] for r in rows if not r["meaning"]]
    paths = [row["path"] for row in rows]
    assert len(paths) == len(set(paths))
    shown = recollect("models", name).out
    assert all(path in shown for path in paths) and bool(paths) != ("no settings" in shown)


def test_nested_settings_stand_under_their_path(recollect: Command) -> None:
    paths = {row["path"]: row for row in recollect("models", "xlstm-lsr", "--json").json}
    assert paths["model.width"]["default"] == 64 and paths["model.mlstm.heads"]["default"] == 4
    assert paths["model.gate"]["type"] == "vector | scalar | none"
    assert "train.batches.tokens" in {row["path"] for row in recollect("models", "--run", "--json").json}


def test_types_are_spelt_for_people() -> None:
    assert [spell(kind) for kind in (int, str, bool, int | None)] == ["int", "text", "true | false", "int or unset"]


def test_vectors_of_items_are_listed_where_a_network_takes_them(recollect: Command) -> None:
    rows = {row["path"]: row for row in recollect("models", "sasrec", "--json").json}
    assert rows["model.init_items"]["meaning"].endswith("The same as train.init_items.")
    assert (
        rows["model.init_items"]["type"] == "text or unset" and "model.init_items" in recollect("models", "sasrec").out
    )
    assert "init_items" not in recollect("models", "markov").out
