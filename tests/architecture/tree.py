"""The source files of the package as the rules see them: path, module name, text and syntax tree."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "recollect"


@dataclasses.dataclass(frozen=True)
class Source:
    """One file. `place` is its dotted name below `recollect`: `data.log`, or `data` for `data/__init__.py`."""

    place: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def imports(self) -> Iterator[str]:
        """Dotted names of what is imported from elsewhere, wherever in the file the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module


def sources() -> list[Source]:
    """Every Python file of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        place = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Source(place, path.read_text(encoding="utf-8")))
    return found
