"""The words that options of the command line can have: enumerations, because that is what the help lists."""

from __future__ import annotations

from enum import StrEnum


class OnBad(StrEnum):
    stop = "stop"
    skip = "skip"


class Ties(StrEnum):
    file = "file"
    id = "id"
    random = "random"


class Seen(StrEnum):
    hidden = "hidden"
    allowed = "allowed"


class Protocol(StrEnum):
    loo = "loo"
    temporal = "temporal"


class Part(StrEnum):
    validation = "validation"
    test = "test"
