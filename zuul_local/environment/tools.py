"""Environments beside the runner's own, made when first asked for: test tools, documentation tools."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from zuul_local import paths
from zuul_local.environment import index, recipe
from zuul_local.environment.cache import alone, is_complete, prune, say, step


def key(requirements: Sequence[Path], python: Path) -> str:
    """Return 16 hex digits that stand for the content of the locks and for *python*."""
    digest = hashlib.sha256(str(python).encode())
    for path in (recipe.BUILD_LOCK, *requirements):
        digest.update(b'\0' + path.read_bytes())
    return digest.hexdigest()[:16]


def ensure_venv(name: str, requirements: Sequence[Path], python: Path | None = None) -> Path:
    """Return a virtual environment with what the hash locks *requirements* pin, made when there is none yet.

    :param name: family of the environment, lower case letters: the few used last of a family are kept.
    :param requirements: hash locks whose pins agree where they overlap.
    :param python: interpreter, by default the one behind this process.
    :raises UserError: it cannot be made.
    """
    python = (python or Path(sys.executable)).resolve()
    cache = paths.cache_dir().resolve()
    folder = cache / 'env' / f'{name}-{key(requirements, python)}'
    if not is_complete(folder, 'bin/python'):
        with alone(folder) as held:
            if not is_complete(folder, 'bin/python'):
                recipe.remove(folder)
                with step(f'environment "{name}"', f'{len(requirements)} locks', '20 s'):
                    recipe.make_venv(recipe.installer(index.here(), cache), python, folder, requirements, held)
                recipe.write_ready(folder, python)
                prune(folder)
                say(f'it is in {folder}')
    (folder / 'used').touch()
    return folder


def test_tools() -> Path:
    """Return the environment of ``zuul-local test``: the test tools together with Zuul as a library.

    :raises UserError: it cannot be made.
    """
    return ensure_venv('test', (recipe.REQUIREMENTS / 'test.txt', recipe.REQUIREMENTS / 'zuul.txt'))
