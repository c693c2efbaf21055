"""The files of benchmarks/whole_life are settings of a comparison: every name in them is the run's or the model's."""

from __future__ import annotations

from pathlib import Path

import pytest

from recollect.study.compare_settings import compose_comparison

FILES = sorted((Path(__file__).parents[2] / "benchmarks" / "whole_life").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_settings_file_is_read_strictly(path: Path) -> None:
    settings = compose_comparison(path, {})
    assert settings.data.source == path.stem and settings.evaluate.seen == "allowed"
    for name in ("xlstm-lsr", "sasrec", "hstu"):
        assert settings.run_of(name, 3).train.seed == 3


def test_every_log_of_the_study_has_one() -> None:
    assert {path.stem for path in FILES} == {
        "spanish-test", "algebra05-test", "assist2017", "sympy-commits", "simulated-long-memory"
    }  # fmt: skip
