"""Import the Python programs of the node recipe, which have no suffix."""

from __future__ import annotations

import runpy
from types import SimpleNamespace

from zuul_local.paths import LIBRARY


def program(path: str) -> SimpleNamespace:
    """Return what the program at *path* below node/ defines; its main() is not run, and nothing is left beside it."""
    return SimpleNamespace(**runpy.run_path(str(LIBRARY / 'node' / path)))
