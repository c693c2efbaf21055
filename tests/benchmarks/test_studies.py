"""The studies under benchmarks/ are read strictly, and all their models can be built."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.config import decode
from recollect.contracts import Catalog
from recollect.registry import model_class
from recollect.study.compare_settings import CompareSettings, compose_comparison

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WHOLE_LIFE, ABLATIONS, REPEATS = (
    sorted((BENCHMARKS / study).glob("*.toml")) for study in ("whole_life", "ablations", "repeats")
)


def build(settings: CompareSettings, name: str) -> None:
    run = settings.run_of(name, 3)
    kind = model_class(run.model_name)
    kind(decode(kind.Config, run.model_fields_given, where="model"), Catalog(100))  # type: ignore[call-arg]
    assert run.train.seed == 3


@pytest.mark.parametrize("path", WHOLE_LIFE, ids=lambda path: path.stem)
def test_a_whole_life_is_read_strictly(path: Path) -> None:
    settings = compose_comparison(path, {})
    assert settings.data.source == path.stem and settings.evaluate.seen == "allowed"
    for name in ("xlstm-lsr", "sasrec", "hstu"):
        build(settings, name)


def test_every_log_of_the_study_has_one() -> None:
    assert {path.stem for path in WHOLE_LIFE} == {
        "spanish-test", "algebra05-test", "assist2017", "sympy-commits", "simulated-long-memory"
    }  # fmt: skip
    assert {path.stem for path in ABLATIONS} == {"ml-1m", "algebra05-test"}
    assert {path.stem for path in REPEATS} == {"online-retail", "foursquare-nyc", "sympy-commits", "assist2017"}


@pytest.mark.parametrize("path", [*ABLATIONS, *REPEATS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_variants_differ_from_the_whole(path: Path) -> None:
    settings = compose_comparison(path, {})
    assert settings.data.source == path.stem
    whole = settings.run_of("xlstm-lsr", 0)
    for name in settings.models:
        build(settings, name)
        if name != "xlstm-lsr":
            assert settings.run_of(name, 0) != whole
