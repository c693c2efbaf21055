"""How a value shows itself: aligned lines in a session, a small table in a notebook.

Titles and ids are data: what is no printable sign is replaced in lines, and everything is escaped in tables.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

LONGEST = 60
"""Signs of a cell; longer ones are cut."""


@dataclasses.dataclass(frozen=True, slots=True)
class Display:
    """A title, facts under it, a table under those, and what must be known of it.

    In `columns` a name that begins with `>` is that of a column of figures, which stand on the right.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Lines of aligned cells."""
        lines = [printable(self.title, 200)]
        lines += _aligned([(name, printable(fact, 200)) for name, fact in self.facts], ["", ""])
        if self.rows:
            head = [name.removeprefix(">") for name in self.columns]
            lines += _aligned([head, *([printable(cell) for cell in row] for row in self.rows)], self.columns)
        lines += [f"  {printable(note, 400)}" for note in self.notes]
        return "\n".join(lines)

    def html(self) -> str:
        """One table of facts and one of rows; no style sheet, no script, nothing from elsewhere."""
        parts = [f"<div><b>{_escaped(self.title)}</b></div>"]
        if self.facts:
            rows = "".join(f"<tr>{_th(name)}{_td(fact, left=True)}</tr>" for name, fact in self.facts)
            parts.append(f"<table>{rows}</table>")
        if self.rows:
            left = [not name.startswith(">") for name in self.columns]
            head = "".join(_th(name.removeprefix(">")) for name in self.columns)
            cells = [zip(row, left, strict=True) for row in self.rows]
            rows = "".join("<tr>" + "".join(_td(cell, left=side) for cell, side in row) + "</tr>" for row in cells)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        parts += [f"<div>{_escaped(note)}</div>" for note in self.notes]
        return f"<div>{''.join(parts)}</div>"


class Displayed(ABC):
    """What is worth more than its fields one after the other. Showing it must cost little, however large it is."""

    __slots__ = ()

    @abstractmethod
    def _display(self) -> Display: ...

    def __repr__(self) -> str:
        return self._display().text()

    def _repr_html_(self) -> str:
        return self._display().html()


def printable(text: str, longest: int = LONGEST) -> str:
    """An id or title as it can be shown on a terminal: no control characters, not endless."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def some_of(values: Iterable[object], count: int, first: int = 3) -> str:
    """The first few of `count` values: `1, 2, 3, ...`."""
    shown = [printable(str(value), 24) for value in itertools.islice(values, first)]
    return ", ".join(shown + ["..."] * (count > first))


def _aligned(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for cell, width, name in zip(row, widths, columns, strict=True):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if name.startswith(">") else cell + gap)
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    """Cells of a terminal: East Asian signs take two, marks on the sign before none."""
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def _escaped(text: str) -> str:
    return html.escape(text if len(text) <= 400 else text[:397] + "...")


def _th(text: str) -> str:
    return f"<th style='text-align:left'>{_escaped(text)}</th>"


def _td(text: str, *, left: bool) -> str:
    return f"<td style='text-align:{'left' if left else 'right'}'>{_escaped(text)}</td>"
