"""What the tests of publishing need: Ansible with libraries of object stores, and servers of such stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zuul_local import paths
from zuul_local.environment import npm, recipe
from zuul_local.environment.tools import ensure_venv


@dataclass(frozen=True)
class Stores:
    """Where it is.

    :param venv: virtual environment with libraries and servers, and Node.js.
    :param modules: folder ``node_modules`` with servers.
    """

    venv: Path
    modules: Path


def stores() -> Stores:
    """Return it, installed when it is not there yet.

    :raises UserError: it cannot be had.
    """
    venv = ensure_venv('publish', (recipe.REQUIREMENTS / 'publish.txt',))
    return Stores(venv, npm.ensure(recipe.REQUIREMENTS / 'publish-npm', paths.cache_dir() / 'npm', venv / 'bin'))
