"""Who may ask and who may change: a key for each, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

_bearer = HTTPBearer(auto_error=False, description="A key for reading or for writing, where the server has keys.")


class Keys:
    """The keys of a server: of both kinds, or none at all. With keys, reading needs one of either kind, writing one of
    `write`; without, anybody may do both.

    `reading` and `writing` are what a route depends on, so that only those may use it who have such a key. Raises
    ValueError where there are keys of one kind only: what the other is for would be open to all.
    """

    def __init__(self, read: Sequence[str] = (), write: Sequence[str] = ()) -> None:
        if bool(read) != bool(write):
            raise ValueError("keys for reading and for writing are needed, or none at all")
        self.none = not read
        self.reading = _demanding([*read, *write])
        self.writing = _demanding(write)


def _demanding(accepted: Sequence[str]) -> list[Any]:
    keys = [key.encode() for key in accepted]

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if given is None:
            raise HTTPException(401, "this needs a key: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})
        offered = given.credentials.encode()
        if not any(hmac.compare_digest(offered, key) for key in keys):
            why = "this key is wrong, or one for reading where writing is asked for"
            raise HTTPException(401, why, {"WWW-Authenticate": 'Bearer error="invalid_token"'})

    return [Depends(check)] if keys else []
