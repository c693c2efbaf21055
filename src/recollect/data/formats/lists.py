"""One row a user or a basket, with a list of items in one cell: an event for each entry, in the order of the list."""

from __future__ import annotations

from recollect.data.formats import registry
from recollect.data.formats.contract import Place
from recollect.data.formats.list_cells import FORMAT, explode
from recollect.data.raw_table import RawTable
from recollect.data.reading import Reading


class Lists:
    """Any table of which one column holds lists of items."""

    name = FORMAT
    description = "a table whose item column holds lists ('3 17 5', '[3, 17, 5]'): an event for each entry, in order"

    def recognises(self, place: Place) -> bool:
        """False: it is read only when asked for."""
        return False

    def read(self, place: Place, reading: Reading, *, name: str) -> RawTable:
        """The table as its file has it, with a row for each entry of each list."""
        return explode(registry.in_general(place, reading, name))


FORMATS = (Lists(),)
