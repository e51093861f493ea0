"""Text for people: places in files, tables, values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LONGEST_VALUE = 200
_JSON_BEGINS = ('', '"', '[', '{')


def place(path: str, line: int, below: Path | None = None) -> str:
    """Return ``file:line``, with the path relative when the file lies below *below* (the working folder)."""
    below = below or Path.cwd()
    if path and Path(path).is_relative_to(below):
        path = str(Path(path).relative_to(below))
    return f'{path}:{line}' if line else path


def table(rows: Iterable[Sequence[str]], indent: str = '  ') -> list[str]:
    """Return lines with the cells of *rows* in columns, the last one ragged."""
    rows = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [(indent + '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
            for row in rows]


def value(thing: Any) -> str:
    """Return *thing* on one line: text as it is when it cannot be mistaken for something else, else as JSON."""
    text = thing if _plain(thing) else json.dumps(thing, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f'{text[:LONGEST_VALUE]}… ({len(text)} characters)'


def _plain(thing: Any) -> bool:
    if not isinstance(thing, str) or not thing.isprintable() or thing != thing.strip() or thing[:1] in _JSON_BEGINS:
        return False
    try:
        return bool(json.loads(thing) is thing)
    except ValueError:
        return True
