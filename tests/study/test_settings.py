"""run.toml holds every setting and comes back the same; a wrong key anywhere is named with the nearest right one."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from recollect.config import ConfigError, to_toml
from recollect.registry import model_class, names
from recollect.study.settings import RunSettings, compose, settings_from, settings_in, to_plain


def settings(name: str = "xlstm-lsr", **sections: Any) -> RunSettings:
    return settings_from({"data": {"source": "a.csv"}, "model": {"name": name}, **sections})


@pytest.mark.parametrize("name", names())
def test_every_default_is_written_and_comes_back(name: str) -> None:
    before = settings(name)
    text = to_toml(to_plain(before))
    assert settings_from(tomllib.loads(text)) == before
    config = model_class(name).Config(**before.model_fields_given)
    assert config == model_class(name).Config()
    for field, value in to_plain(before)["model"].items():
        assert field in text and value == before.model[field]


def test_what_is_set_comes_back() -> None:
    filters = {"min_user_events": 3, "time_from": "2024-05-31", "duplicates": "drop-exact"}
    before = settings(
        data={"source": "logs/*.csv", "user": "u", "on_bad": "skip", "filters": filters},
        split={"protocol": "temporal", "target": "all"},
        train={"minutes": 2.5, "batches": {"history": 50}},
        evaluate={"seen": "allowed"},
        model={"name": "xlstm-lsr", "width": 32, "mlstm": {"heads": 2}},
    )
    after = settings_from(tomllib.loads(to_toml(to_plain(before))))
    assert after == before
    assert after.model["mlstm"]["heads"] == 2 and after.data.filters.time_from == "2024-05-31"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"stpes": 1}}, r"training.stpes: there is no section 'training'; did you mean 'train'\?"),
        ({"train": {"stpes": 1}}, "train.stpes: unknown setting"),
        ({"train": {"batches": {"tokns": 1}}}, r"train.batches.tokns: unknown setting; did you mean 'tokens'\?"),
        ({"model": {"name": "xlstm-lsr", "mlstm": {"head": 1}}}, r"model.mlstm.head: .*did you mean 'heads'\?"),
        ({"model": {"name": "xlstm-lsr", "width": 0}}, "model.width: .*greater than or equal to 1"),
        ({"model": {"width": 8}}, "model.name"),
        ({"model": {"name": 7}}, "model.name"),
        ({"model": "xlstm-lsr"}, "model: a section"),
        ({"data": {"source": ""}}, "data.source"),
        ({"data": {}}, "data.source"),
        ({"data": {"source": "x", "filters": {"time_from": "soon"}}}, "data.filters.time_from"),
    ],
    ids=str,
)
def test_a_wrong_key_or_value_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        settings(**values)
    assert "\n" not in str(caught.value)


def test_set_stands_above_options_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        "[data]\nsource = 'file.csv'\nuser = 'file'\nitem = 'file'\n"
        "[train]\nepochs = 3\nseed = 3\n[model]\nname = 'gru4rec'\n"
    )
    made = compose(
        file,
        {"data": {"source": None, "user": "option", "item": "option"}, "evaluate": {"seen": None}},
        ["data.item=set", "train.seed=5", "model.width=16"],
    )
    assert (made.data.source, made.data.user, made.data.item) == ("file.csv", "option", "set")
    assert (made.train.epochs, made.train.seed, made.model["width"]) == (3, 5, 16)
    assert made.evaluate.seen == "hidden" and made.model_name == "gru4rec"


@pytest.mark.parametrize("day", ["2024-01-01", '"2024-01-01"', "2024-01-01T06:30:00"])
def test_a_date_needs_no_quotes(day: str, tmp_path: Path) -> None:
    """TOML has dates of its own, and settings take text."""
    file = tmp_path / "run.toml"
    file.write_text(f"[data.filters]\ntime_from = {day}\n")
    given = {"data": {"source": "x"}}
    for made in (
        compose(None, given, [f"data.filters.time_from={day}"], name="gru4rec"),
        compose(file, given, name="gru4rec"),
    ):
        assert made.data.filters.time_from == day.strip('"')


def test_two_models_are_not_asked_for_at_once() -> None:
    with pytest.raises(ConfigError, match="--set model.name: 'sasrec' was asked for"):
        compose(None, {"data": {"source": "x"}}, ["model.name=markov"], name="sasrec")


def test_an_error_says_where_it_stems_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 0\n")
    with pytest.raises(ConfigError, match="mine.toml: train.epochs"):
        compose(file, {"data": {"source": "a"}}, name="gru4rec")
    file.write_text("[train]\nepochs = 1\n")
    with pytest.raises(ConfigError, match="^--set train.epochs"):
        compose(file, {"data": {"source": "a"}}, ["train.epochs=0"], name="gru4rec")
    with pytest.raises(ConfigError, match="no data: give --data"):
        compose(file, {}, name="gru4rec")
    file.write_text("[model]\nname = 'sasrec'\n")
    with pytest.raises(ConfigError, match="its model is 'sasrec'"):
        compose(file, {"data": {"source": "a"}}, name="gru4rec")


def test_a_folder_without_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        settings_in(tmp_path)
