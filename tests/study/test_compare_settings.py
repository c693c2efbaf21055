"""What all models share and what one has of its own make the settings of each run; a wrong key is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recollect.config import ConfigError
from recollect.study.compare_settings import comparison_from, compose_comparison
from recollect.study.settings import settings_from

DATA = {"data": {"source": "a.csv"}}


def test_a_run_has_what_all_share_and_what_is_its_own() -> None:
    made = comparison_from(
        {
            **DATA,
            "split": {"protocol": "temporal"},
            "evaluate": {"seen": "allowed"},
            "train": {"epochs": 7, "batches": {"tokens": 64, "segment": 32}},
            "models": {"sasrec": {"model": {"width": 16}, "train": {"batches": {"tokens": 128}, "learning_rate": 0.5}}},
        }
    )
    shared, own = made.run_of("gru4rec", 4), made.run_of("sasrec", 5)
    assert (shared.train.epochs, shared.train.batches.tokens, shared.train.seed) == (7, 64, 4)
    assert (own.train.epochs, own.train.batches.tokens, own.train.batches.segment, own.train.seed) == (7, 128, 32, 5)
    assert own.train.learning_rate == 0.5 != shared.train.learning_rate
    assert own.model["width"] == 16 and own.model_name == "sasrec"
    for one in (shared, own):
        assert one.split.protocol == "temporal" and one.evaluate.seen == "allowed" and one.data.source == "a.csv"


def test_a_variant_is_a_model_under_another_name() -> None:
    made = comparison_from({**DATA, "models": {"short": {"model": {"name": "sasrec", "window": 9}}, "sasrec": {}}})
    assert [made.model_of(name) for name in ("short", "sasrec", "gru4rec")] == ["sasrec", "sasrec", "gru4rec"]
    short, sasrec = made.run_of("short", 0), made.run_of("sasrec", 0)
    assert short.model_name == "sasrec" and short.model["window"] == 9
    assert short == settings_from({**DATA, "model": {"name": "sasrec", "window": 9}}) != sasrec


def test_a_variant_has_what_its_model_has_and_its_own_over_it() -> None:
    gate = {"model": {"name": "xlstm-lsr", "mlstm": {"input_gate": "sigmoid"}}, "train": {"epochs": 3}}
    model = {"model": {"width": 16, "mlstm": {"heads": 2}}, "train": {"batches": {"tokens": 64}, "epochs": 5}}
    made = comparison_from({**DATA, "models": {"gate": gate, "xlstm-lsr": model}})
    one, other = made.run_of("gate", 1), made.run_of("xlstm-lsr", 1)
    assert one.model["width"] == 16 and one.model["mlstm"] == {**other.model["mlstm"], "input_gate": "sigmoid"}
    assert (one.train.epochs, one.train.batches.tokens, one.train.seed) == (3, 64, 1)
    assert other.train.epochs == 5 and other.model["mlstm"]["input_gate"] == "exp"


def test_with_nothing_of_its_own_a_run_is_that_of_train() -> None:
    wanted = settings_from({**DATA, "model": {"name": "sasrec"}, "train": {"seed": 3}})
    assert comparison_from(DATA).run_of("sasrec", 3) == wanted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trian": {"epochs": 1}}, r"trian: unknown setting; did you mean 'train'\?"),
        ({"train": {"epoch": 1}}, r"train.epoch: unknown setting; did you mean 'epochs'\?"),
        ({"model": {"width": 8}}, "models.NAME.model.width"),
        ({"models": {"sasrek": {}}}, r"models.sasrek: no model is called 'sasrek'; did you mean 'sasrec'\?"),
        ({"models": {"sasrec": {"width": 8}}}, "models.sasrec.width: unknown setting"),
        ({"models": {"sasrec": {"modle": {}}}}, r"models.sasrec.modle: unknown setting; did you mean 'model'\?"),
        ({"models": {"sasrec": {"model": {"widht": 8}}}}, r"models.sasrec.model.widht: .*did you mean 'width'\?"),
        ({"models": {"sasrec": {"train": {"epoch": 8}}}}, r"models.sasrec.train.epoch: .*did you mean 'epochs'\?"),
        ({"models": {"sasrec": {"train": {"epochs": 0}}}}, "models.sasrec.train.epochs: .*greater than or equal to 1"),
        ({"models": {"sasrec": {"train": {"seed": 1}}}}, "models.sasrec.train.seed: all models"),
        ({"models": {"sasrec": 3}}, "models.sasrec: a section"),
        ({"models": {"short": {}}}, "models.short: no model is called.*of which model.*: models.short.model.name"),
        ({"models": {"short": {"model": {"name": "sasrek"}}}}, r"models.short.model.name: .*did you mean 'sasrec'\?"),
        ({"models": {"short": {"model": {"name": "sasrec", "widht": 8}}}}, "models.short.model.widht: .*'width'"),
        (
            {"models": {"gru4rec": {"model": {"name": "sasrec"}}}},
            "models.gru4rec.model.name: gru4rec is a model itself",
        ),
        ({"models": {"../short": {"model": {"name": "sasrec"}}}}, "models.../short: a variant is named in letters"),
        ({"models": 3}, "models: a section"),
    ],
    ids=str,
)
def test_a_wrong_key_or_value_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        comparison_from({**DATA, **values})


def test_set_stands_above_options_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "compare.toml"
    file.write_text(
        "[data]\nsource = 'file.csv'\nuser = 'file'\nitem = 'file'\n[train]\nepochs = 3\nwarmup = 3\n"
        "[models.sasrec.model]\nwidth = 8\nwindow = 8\n"
    )
    made = compose_comparison(
        file,
        {"data": {"source": None, "user": "option", "item": "option"}, "evaluate": {"seen": "allowed"}},
        ["data.item=set", "train.warmup=5", "models.sasrec.model.window=5"],
    )
    run = made.run_of("sasrec", 0)
    assert (run.data.source, run.data.user, run.data.item) == ("file.csv", "option", "set")
    assert (run.train.epochs, run.train.warmup, run.evaluate.seen) == (3, 5, "allowed")
    assert (run.model["width"], run.model["window"]) == (8, 5)


def test_an_error_says_where_it_stems_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[models.sasrec.train]\nepochs = 0\n")
    with pytest.raises(ConfigError, match="mine.toml: models.sasrec.train.epochs"):
        compose_comparison(file, DATA)
    for text, said in (
        ("train.epochs=0", "train.epochs"),
        ("model.width=8", "model: what"),
        ("models.x.y=1", "models.x"),
    ):
        with pytest.raises(ConfigError, match=f"^--set {said}"):
            compose_comparison(None, DATA, [text])
    with pytest.raises(ConfigError, match="^train.epochs"):
        compose_comparison(None, {**DATA, "train": {"epochs": 0}}, ["evaluate.seen=hidden"])
    with pytest.raises(ConfigError, match="no data: give --data"):
        compose_comparison(None, {})
