"""The Ansible environments: one comes with the runner's own, the others are made when a job first asks for them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from zuul_local.environment import Environment, index, recipe
from zuul_local.environment.cache import alone, is_complete, step

LOCK = re.compile(r'ansible(\d+)\.txt')


def versions() -> tuple[str, ...]:
    """Return the Ansible versions that there are locks for, named as Zuul names them."""
    found = (LOCK.fullmatch(path.name) for path in recipe.REQUIREMENTS.iterdir())
    return tuple(sorted((match[1] for match in found if match), key=int))


def ensure(here: Environment, version: str) -> None:
    """Make the environment of Ansible *version* unless it is there; say so, as it takes a while.

    :param version: one of :func:`versions`.
    :raises UserError: it cannot be made.
    """
    folder = here.ansible_root / version
    if is_complete(folder, 'bin/python'):
        return
    with alone(here.root / f'ansible-{version}') as held:
        if is_complete(folder, 'bin/python'):
            return
        make(recipe.installer(index.here(), here.root.parent.parent), folder, version, held)


def make(tool: recipe.Installer, folder: Path, version: str, held: int) -> None:
    """Make the environment of Ansible *version* in *folder*, for the Python behind this process."""
    python = Path(sys.executable).resolve()
    with step(f'Ansible {version} with the collections in use', '75 MB, 56 MB to download', '10 s'):
        recipe.make_ansible(tool, python, folder, version, held)
    recipe.write_ready(folder, python)
