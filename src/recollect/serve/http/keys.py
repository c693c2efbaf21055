"""Access: one kind of key for reading and one for writing, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

_bearer = HTTPBearer(auto_error=False, description="A key for reading or for writing, where the server has keys.")


class Keys:
    """The keys of a server: of both kinds, or none. With keys, reading needs one of either kind, writing one of
    `write`. Without, everybody may do both.

    `reading` and `writing` are the dependencies of a route that needs such a key. Raises ValueError for keys of
    one kind only, since the other kind of access would be open to all, and for a key of both kinds.
    """

    def __init__(self, read: Sequence[str] = (), write: Sequence[str] = ()) -> None:
        if bool(read) != bool(write):
            raise ValueError("keys for reading and for writing are needed, or none at all")
        if set(read) & set(write):
            raise ValueError("a key for reading must not be one for writing")
        self.none = not read
        self.reading = _requiring([*read, *write])
        self.writing = _requiring(write)


def _requiring(accepted: Sequence[str]) -> list[Any]:
    keys = [key.encode() for key in accepted]

    def check(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if credentials is None:
            raise HTTPException(401, "this needs a key: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})
        key = credentials.credentials.encode()
        if not any(hmac.compare_digest(key, one) for one in keys):
            message = "this key is wrong, or one for reading where writing needs another"
            raise HTTPException(401, message, {"WWW-Authenticate": 'Bearer error="invalid_token"'})

    return [Depends(check)] if keys else []
