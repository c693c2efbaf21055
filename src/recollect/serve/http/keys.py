"""Who may ask and who may change: a key for each, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

_bearer = HTTPBearer(auto_error=False, description="A key for reading or for writing, where the server has keys.")


class Keys:
    """The keys of a server. With `read`, reading needs one of them or of `write`; with `write`, writing needs one.

    `reading` and `writing` are what a route depends on, so that only those may use it who have such a key.
    """

    def __init__(self, read: Sequence[str] = (), write: Sequence[str] = ()) -> None:
        self.none = not read and not write
        self.reading = _demanding([*read, *write] if read else [])
        self.writing = _demanding(write)


def _demanding(accepted: Sequence[str]) -> list[Any]:
    keys = [key.encode() for key in accepted]

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        offered = b"" if given is None else given.credentials.encode()
        if not any(hmac.compare_digest(offered, key) for key in keys):
            raise HTTPException(401, "this needs a key: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})

    return [Depends(check)] if keys else []
