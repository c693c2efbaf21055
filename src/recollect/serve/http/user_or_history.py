"""Two forms of a body: for a user, or after a history without one. Which it is, and what goes with neither or both."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def without_user(values: Any) -> Any:
    """The fields of a body with `history`. Raises ValueError where it is also about a user."""
    if isinstance(values, dict) and "user" in values:
        raise ValueError("a list is for a user or after a history, not both; `then` adds items to a user's")
    if isinstance(values, dict) and "then" in values:
        raise ValueError("`then` goes with a user; put these items at the end of `history`")
    return values


def with_user(values: Any, known: Collection[str]) -> Any:
    """The fields of a body without `history`. Raises ValueError where there is no user either; `known`: the fields it
    may have, since a misspelt one is to be said first.
    """
    if isinstance(values, dict) and "user" not in values and set(values) <= set(known):
        raise ValueError("a user or a history is missing; send `user` (an id), or `history` (a list of item ids)")
    return values


def user_or_history(body: object) -> str:
    """Which of the two forms a body has: `user` or `history`."""
    is_history = "history" in body if isinstance(body, dict) else hasattr(body, "history")
    return "history" if is_history else "user"
