"""The roles that a config project runs with trust: copies of the library's, named in its ``roles.list``.

Zuul takes the roles of another repository at the state that a job asks for, also for a trusted playbook, so a project
could pick an old tag of them. What runs beside secrets therefore lies in the config project itself.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zuul_local.errors import UserError

LIST = 'roles.list'
FOLDER = 'roles'
_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_-]*')


def listed(folder: Path) -> tuple[str, ...]:
    """Return the names in the ``roles.list`` of the config project in *folder*; none when it has no such file.

    :raises UserError: a line is not the name of a role.
    """
    path = folder / LIST
    if not path.is_file():
        return ()
    names = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        name = line.partition('#')[0].strip()
        if name and not _NAME.fullmatch(name):
            raise UserError(f'{path}:{number}: {name!r} is not the name of a role.', 'Write one name a line.')
        if name:
            names.append(name)
    return tuple(names)


def absent(folder: Path, library: Path) -> list[str]:
    """Return the names in the list of the config project in *folder* that *library* has no role for."""
    return [name for name in listed(folder) if not (library / FOLDER / name / 'tasks').is_dir()]


def drifted(folder: Path, library: Path) -> list[str]:
    """Return the listed roles whose copy in *folder* is not what *library* has, in the order of the list."""
    return [name for name in listed(folder)
            if _content(folder / FOLDER / name) != _content(library / FOLDER / name)]


def copy(folder: Path, library: Path) -> list[str]:
    """Bring the copies in *folder* to the state of *library*. Return the names of those that were not.

    :raises UserError: the list names what is no role of the library, or *folder* cannot be written.
    """
    missing = absent(folder, library)
    if missing:
        raise UserError(f'{folder / LIST}: the library has no role {", ".join(missing)}.', 'Remove it from the list.')
    stale = drifted(folder, library)
    try:
        for name in stale:
            _replace(library / FOLDER / name, folder / FOLDER / name)
    except OSError as error:
        raise UserError(f'{folder / FOLDER}: cannot be written: {error}') from error
    return stale


def _replace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.new-', dir=target.parent) as scratch:
        new = Path(scratch, 'new')
        shutil.copytree(source, new, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        if target.exists():
            target.rename(Path(scratch, 'old'))
        new.rename(target)


def _content(role: Path) -> dict[str, bytes]:
    """Return path -> content of the files of a role."""
    return {str(path.relative_to(role)): path.read_bytes() for path in _files(role)}


def _files(role: Path) -> Iterator[Path]:
    for path in sorted(role.rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts and path.suffix != '.pyc':
            yield path
