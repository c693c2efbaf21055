"""Which journal an index was made of: one that was copied or put back beside an old index must not be taken for it.

The id tells one journal from another. Copies of a journal have the same id, and are told apart by the newest record.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from recollect.serve.stores.records import Event, Forget, to_line
from recollect.serve.stores.segments import checksum_of, last_record


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """The id of a journal, and the number and checksum of the newest record that was taken in from it.

    Number 0: there is none, or it was removed with everything before it.
    """

    journal: str = ""
    number: int = 0
    checksum: bytes = b""

    def after(self, number: int, record: Event | Forget) -> Origin:
        """The same once this record was taken in."""
        return Origin(self.journal, number, to_line(number, record)[:8])

    def misfit(self, journal: str, folder: Path, applied: int) -> str | None:
        """Why this is not the journal in a folder, whose records up to `applied` were taken in; None where it is.

        In words that go on from "the index".
        """
        if self.journal != journal:
            return "was made of another journal"
        if self.number and checksum_of(folder, self.number) != self.checksum:
            return f"was made of a journal with another record {self.number}"
        if not self.number and last_record(folder, applied) is not None:
            return f"was made of a journal with no record up to {applied}"
        return None

    def renewed(self, folder: Path) -> Origin:
        """The same by a record that is still in the files, where a compaction removed the one it had."""
        if not self.number or checksum_of(folder, self.number) is not None:
            return self
        return Origin(self.journal, *(last_record(folder, self.number) or ()))

    def to_bytes(self) -> bytes:
        return f"{self.journal} {self.number} {self.checksum.decode()}".encode()

    @staticmethod
    def from_bytes(data: bytes) -> Origin:
        """The reverse of `to_bytes`."""
        journal, number, checksum = data.decode().split(" ")
        return Origin(journal, int(number), checksum.encode())
