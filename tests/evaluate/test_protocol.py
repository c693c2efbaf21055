"""The line that is printed with every figure says every switch, and differences are found by name."""

from __future__ import annotations

import dataclasses
import json

from recollect import contracts
from recollect.data import histories
from recollect.evaluate.protocol import Protocol, beginning

PROTOCOL = Protocol(
    "ml", "abcdef012345", "loo, test", "file", "hidden", "unused", "all 9 items", "last 200", 7, 7, (0, 1)
)


def test_every_field_shows_in_the_line():
    changed = {
        "data": "other",
        "digest": "9" * 12,
        "split": "temporal",
        "ties": "id",
        "seen": "allowed",
        "request_time": "used",
        "candidates": "sampled(100, uniform)",
        "history": "whole",
        "users": 8,
        "targets": 9,
        "seeds": (3,),
        "selection": "where rating >= 4, min 5 events",
        "started_from": "runs/first",
    }
    assert set(changed) == {field.name for field in dataclasses.fields(Protocol)}
    lines = {dataclasses.replace(PROTOCOL, **{name: value}).line() for name, value in changed.items()}
    assert len(lines | {PROTOCOL.line()}) == len(changed) + 1


def test_the_line():
    assert PROTOCOL.line() == (
        "ml [abcdef012345] | split loo, test | ties file | seen hidden | request time unused | "
        "candidates all 9 items | history last 200 | 7 users | seeds 0, 1"
    )
    assert "split not stated" in dataclasses.replace(PROTOCOL, split="").line()


def test_what_was_left_out_of_the_log_stands_beside_its_digest_and_only_there():
    some = dataclasses.replace(PROTOCOL, selection="where rating >= 4, min 5 events")
    assert some.line().startswith("ml [abcdef012345, where rating >= 4, min 5 events] | split")
    assert PROTOCOL.differences(some) == []  # a line written before it was said is no other measurement


def test_older_weights_stand_at_the_end_and_keep_nothing_apart():
    assert beginning({"train": {"start_from": "/models/runs/sasrec/seed-0"}}) == "sasrec/seed-0"
    assert beginning({"train": {"start_from": None}}) == beginning({}) == beginning({"train": {}}) == ""
    begun = dataclasses.replace(PROTOCOL, started_from="runs/first")
    assert begun.line() == f"{PROTOCOL.line()} | started from runs/first"
    assert PROTOCOL.differences(begun) == []


def test_differences_are_named():
    other = dataclasses.replace(PROTOCOL, seen="allowed", history="whole", seeds=())
    assert PROTOCOL.differences(other) == ["seen: 'hidden' and 'allowed'"]
    assert PROTOCOL.differences(PROTOCOL, ignore=()) == []


def test_json_and_back():
    assert Protocol.from_plain(json.loads(PROTOCOL.to_json())) == PROTOCOL


def test_what_was_written_under_an_older_name_is_read() -> None:
    """Until version 0.2 targets were called questions, in names and in files."""
    written = dataclasses.asdict(dataclasses.replace(PROTOCOL, users=2, targets=9, seeds=(0, 1)))
    written["questions"] = written.pop("targets")
    read = Protocol.from_plain(json.loads(json.dumps(written)))
    assert read.targets == read.questions == 9 and read.seeds == (0, 1)
    assert histories.Questions is histories.Targets
    assert contracts.ASKED == contracts.REQUEST_TIME
