"""`recollect doctor` says what there is, and says so when something is broken."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Command


def test_a_sound_installation(recollect: Command) -> None:
    said = recollect("doctor", "--json")
    assert said.code == 0 and said.json["failed"] == []
    assert "torch" in said.json["packages"] and "recommended" in said.json["self-test"]


def test_one_broken_part_does_not_hide_the_others(recollect: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no\nluck")

    monkeypatch.setattr("recollect.study.run.run", broken)
    said = recollect("doctor")
    assert said.code == 1 and "FAILED: RuntimeError: no luck" in said.out and "threads" in said.out
    assert said.err == "error: not in order: self-test\n"
