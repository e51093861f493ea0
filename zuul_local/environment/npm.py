"""Programs of Node.js by the digest of their lock, fetched by npm: it knows registry and proxies of this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from zuul_local.environment.cache import alone, step
from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run

FILES = ('package.json', 'package-lock.json')
TIMEOUT = 900           # seconds


def ensure(lock: Path, cache: Path, programs: Path) -> Path:
    """Return a folder ``node_modules`` with what *lock* names; npm compares each package with its digest there.

    :param lock: folder with a package.json and its package-lock.json.
    :param cache: where such folders are kept.
    :param programs: folder with ``node`` and ``npm``.
    :raises UserError: they cannot be fetched, or are not what the lock says.
    """
    folder = cache / hashlib.sha256(b'\0'.join((lock / name).read_bytes() for name in FILES)).hexdigest()[:16]
    if folder.exists():
        return folder / 'node_modules'
    with alone(folder) as held:
        if not folder.exists():
            part = folder.with_name(f'{folder.name}.part')
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for name in FILES:
                shutil.copy(lock / name, part)
            with step('programs of Node.js', '370 MB', '25 s'):
                _fetch(part, programs, held)
            part.rename(folder)
    return folder / 'node_modules'


def argv(programs: Path, folder: Path) -> tuple[str, ...]:
    """Return the command that installs the lock in *folder*. Nothing of what is installed is run."""
    return (str(programs / 'npm'), 'ci', '--prefix', str(folder), '--ignore-scripts', '--no-audit', '--no-fund',
            '--loglevel', 'error')


def _fetch(folder: Path, programs: Path, held: int) -> None:
    environ = {**os.environ, 'PATH': os.pathsep.join((str(programs), os.environ.get('PATH', os.defpath)))}
    try:
        run(argv(programs, folder), env=environ, timeout=TIMEOUT, pass_fds=(held,))
    except ProcessError as error:
        raise UserError(f'Programs of Node.js cannot be fetched:\n{(error.stdout or error.stderr).strip()}',
                        'Check the network, or name your registry in ~/.npmrc.') from None
