"""Frozen, strict configuration values: a misspelt key is an error that names the nearest right one.

A `Settings` class stands beside the class it configures. Values come from TOML and from `--set path=value`; both
end in `decode`, so both are checked alike. Building a value reads nothing and touches nothing.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """A setting is unknown or has a value it cannot have. The message says which, where, and what would do."""


class Settings(BaseModel):
    """Base of every configuration value: frozen, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def decode(kind: type[S], values: Mapping[str, Any], *, where: str) -> S:
    """Check plain values against a settings class; `where` names them in errors (`model`, `run.toml: train`)."""
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{where}: settings are given by name, as {{'{next(iter(kind.model_fields), 'name')}': ...}}, "
            f"not as {type(values).__name__}"
        )
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(kind, problem, where) for problem in error.errors())) from None


def _explain(kind: type[Settings], problem: Any, where: str) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    full = f"{where}.{path}" if where else path
    if problem["type"] != "extra_forbidden":
        got = repr(problem["input"])
        return f"{full}: {problem['msg']} (got {got if len(got) <= 80 else got[:77] + '...'})"
    owner: type[BaseModel] | None = kind
    for part in problem["loc"][:-1]:
        owner = _settings_of(owner.model_fields[str(part)].annotation) if owner else None
    names = list(owner.model_fields) if owner else []
    first, dot, rest = str(problem["loc"][-1]).partition(".")
    if dot and first in names:
        return f"{full}: a setting inside another is given inside it, as {{'{first}': {{'{rest}': ...}}}}"
    return f"{full}: unknown setting{did_you_mean(str(problem['loc'][-1]), names)}"


def _settings_of(annotation: Any) -> type[BaseModel] | None:
    """The settings class in an annotation such as `X` or `X | None`."""
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def one_of(name: str, value: object, kind: Any) -> None:
    """Raise ConfigError unless `value` is one of those that the Literal type `kind` allows."""
    known = typing.get_args(kind)
    if value not in known:
        raise ConfigError(f"{name}: {value!r} is not one of {', '.join(map(repr, known))}")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of choices where nothing is near."""
    known = sorted(choices)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain values; errors name the file and the place in it."""
    try:
        values: dict[str, Any] = _undated(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    return values


def apply_sets(values: Mapping[str, Any], sets: Iterable[str]) -> dict[str, Any]:
    """Lay `path=value` settings over plain values; a value is read as TOML, else taken as text."""
    result = json.loads(json.dumps(values))
    for text in sets:
        path, equals, value = text.partition("=")
        if not equals or not all(path.split(".")):
            raise ConfigError(f"--set {text}: expected path=value, for example model.width=128")
        place = result
        *parents, last = path.strip().split(".")
        for part in parents:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {text}: {part} is a value, not a section")
        place[last] = _parse_value(value.strip())
    return result


def _parse_value(text: str) -> Any:
    try:
        return _undated(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text


def _undated(value: Any) -> Any:
    """TOML's dates and times as the text they were, as settings hold them."""
    if isinstance(value, dict):
        return {name: _undated(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_undated(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as plain values; what is None is left out (TOML has no null)."""
    return settings.model_dump(mode="json", exclude_none=True)


def to_toml(values: Mapping[str, Any]) -> str:
    """Plain nested values as TOML text: scalars and lists first, then one section a mapping."""
    return "\n".join(_toml_lines(values, ())) + "\n"


def _toml_lines(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_toml_key(key)} = {_toml_value(v)}" for key, v in values.items() if not isinstance(v, Mapping)]
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner = (*path, key)
            lines += ["", f"[{'.'.join(map(_toml_key, inner))}]", *_toml_lines(value, inner)]
    return lines


def _toml_key(key: str) -> str:
    return key if key and all(c.isalnum() or c in "_-" for c in key) and key.isascii() else json.dumps(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(value)  # TOML knows inf and nan by these names
    return json.dumps(value, ensure_ascii=False)


def digest(values: Mapping[str, Any] | bytes) -> str:
    """Twelve hex digits that name a configuration or a content; equal values, equal digest."""
    data = values if isinstance(values, bytes) else json.dumps(values, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:12]
