"""The seal of a closed file: its digest, in a file beside it, to tell when it is opened that nothing has changed it.

The library of the index would follow a corrupt page anywhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

SEAL = "seal"
"""The file of the digest."""


def put(file: Path) -> None:
    """Seal a file that was closed."""
    file.with_name(SEAL).write_bytes(_digest(file))


def holds(file: Path) -> bool:
    """Whether a file is the one that was sealed, if it was; the seal is broken, as the file is about to change."""
    seal = file.with_name(SEAL)
    if not seal.exists():
        return True
    if not file.exists() or seal.read_bytes() != _digest(file):
        return False
    seal.unlink()
    return True


def _digest(file: Path) -> bytes:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "blake2b").hexdigest().encode()
