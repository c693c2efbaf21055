"""The files of papers: their settings are those of our models, their figures are whole, and most are impossible."""

from __future__ import annotations

import importlib.util
import runpy
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from recollect import registry
from recollect.config import apply_sets, decode, plain
from recollect.evaluate.arithmetic import contradictions
from recollect.models.xlstm_lsr import XLSTMLSR
from recollect.study.compare_settings import comparison_from
from recollect.study.settings import compose
from recollect.train.settings import TrainSettings

FOLDER = Path(__file__).parents[2] / "papers"
NAMES = ("xlstm_lsr", "mambarec", "xlstm_recommender")


def paper(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"papers_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_are_those_of_our_models(name: str) -> None:
    module = paper(name)
    for model, settings in module.MODELS.items():
        decode(registry.model_class(model).Config, settings.get("model", {}), where=model)
        assert set(settings) <= {"model", "train"}
        decode(TrainSettings, {**module.TRAIN, **settings.get("train", {})}, where=model)


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_are_shares(name: str) -> None:
    module = paper(name)
    assert module.DATA
    for data in module.DATA:
        for row in module.figures(data).values():
            assert row and all(0 < value < 1 for value in row.values())


def test_the_ablations_are_settings_of_xlstm_lsr() -> None:
    module = paper("xlstm_lsr")
    assert set(module.ABLATION) == set(module.ABLATION_FIGURES)
    for settings in module.ABLATION.values():
        decode(registry.model_class("xlstm-lsr").Config, settings, where="model")


def run_of_paper(name: str, argument: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> str:
    patch.syspath_prepend(str(FOLDER))
    patch.setattr(sys, "argv", [name, argument])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def test_the_preset_is_a_run_of_xlstm_lsr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "paper.toml"
    file.write_text(run_of_paper("xlstm_lsr", "preset", capsys, monkeypatch))
    settings = compose(file, {"data": {"source": "simulated"}}, name="xlstm-lsr")
    module = paper("xlstm_lsr")
    assert settings.model_fields_given == plain(decode(XLSTMLSR.Config, module.PRESET, where="model"))
    assert settings.train == decode(TrainSettings, module.TRAIN, where="train") and settings.evaluate.seen == "allowed"


def test_the_difference_to_our_defaults_is_printed_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our defaults with what is printed laid over them are the preset."""
    lines = run_of_paper("xlstm_lsr", "difference", capsys, monkeypatch).splitlines()[1:]
    sets = [f"{path}={value}" for path, value, *_ in map(str.split, lines)]
    ours = {"model": plain(XLSTMLSR.Config()), "train": plain(TrainSettings())}
    made = apply_sets(ours, [one.replace("=True", "=true") for one in sets])
    module = paper("xlstm_lsr")
    assert decode(XLSTMLSR.Config, made["model"], where="model") == decode(
        XLSTMLSR.Config, module.PRESET, where="model"
    )
    assert decode(TrainSettings, made["train"], where="train") == decode(TrainSettings, module.TRAIN, where="train")
    assert "model.mlstm.output_gate" in " ".join(sets) and "model.blocks=1" in sets


def test_most_columns_of_the_xlstm_lsr_paper_are_impossible() -> None:
    module = paper("xlstm_lsr")
    rows = [row for data in module.DATA for row in module.figures(data).values()]
    found = [contradictions(row) for row in rows]
    assert len(rows) == 54 and sum(map(bool, found)) == 49  # one of them by the last digit only


def test_figures_of_mambarec_that_fall_or_exceed_their_hits_are_seen() -> None:
    module = paper("mambarec")
    wrong = {
        (data, method) for data in module.DATA for method, row in module.figures(data).items() if contradictions(row)
    }
    assert {("kuairand, last 5k", "gru4rec"), ("kuairand, last 2k", "moematrrec")} <= wrong


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_its_figures_and_its_settings(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    for arguments, expected in ([], "cannot come from one ranking"), (["settings"], "recollect compare"):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        printed = capsys.readouterr().out
        assert expected in printed
    made = comparison_from({**tomllib.loads(printed), "data": {"source": "simulated"}})
    assert made.evaluate.seen == "allowed" and set(made.models) == {
        model for model, own in paper(name).MODELS.items() if own
    }
