# SPDX-License-Identifier: Apache-2.0
"""What fills an environment: the node's uv, the uv or the pip of the wheel cache, the pip that Python came with."""
from __future__ import annotations

import glob
import os
import shutil
import sys
import zipfile
from typing import Iterator, NamedTuple

from ansible.module_utils import ensure_python_command_lock as locks
from ansible.module_utils import ensure_python_command_pep440 as pep440
from ansible.module_utils.ensure_python_command_image import Run
from ansible.module_utils.ensure_python_command_request import Request

UV_PLACES = ('/usr/uv-env/bin/uv', '~/.local/uv/bin/uv')
OLDEST_UV = '0.5'    # the first with every option used here
OLDEST_PIP = '21.3'  # older ones choose versions that this Python cannot run, where an index does not tell
_FOLDER = '.installer-'


class Installer(NamedTuple):
    """What fills an environment: *kind* is uv or pip, *path* the program or the wheel of pip."""

    kind: str
    path: str
    version: str

    def __str__(self) -> str:
        return f'{self.kind} {self.version}'


def workplace(parent: str) -> str:
    """Make a folder below *parent* for what is needed until :func:`clear` only, and return its path."""
    folder = os.path.join(parent, f'{_FOLDER}{os.getpid()}')
    os.makedirs(folder, exist_ok=True)
    return folder


def clear(parent: str) -> None:
    """Drop every :func:`workplace` below *parent*, of this run and of those that were killed."""
    for folder in glob.glob(os.path.join(glob.escape(parent), _FOLDER + '*')):
        shutil.rmtree(folder, ignore_errors=True)


def find_uv(run: Run) -> Installer | None:
    """The node's uv, if it is new enough and runs."""
    for place in (shutil.which('uv'), *UV_PLACES):
        found = _runs(os.path.expanduser(place or ''), run)
        if found:
            return found
    return None


def unpack_uv(request: Request, pins: list[locks.Pin], parent: str, run: Run) -> Installer | None:
    """The uv of the wheel cache, in a :func:`workplace` below *parent*: its wheel has the program as a file.

    Unpacking takes a third of the time that pip takes for one small tool.
    """
    for path, version in _cached('uv', request, pins):
        name = f'uv-{version}.data/scripts/uv'
        with zipfile.ZipFile(path) as wheel:
            if name not in wheel.namelist():
                continue
            program = os.path.join(workplace(parent), 'uv')
            with wheel.open(name) as source, open(program, 'wb') as target:
                shutil.copyfileobj(source, target, 1 << 20)
        os.chmod(program, 0o755)
        found = _runs(program, run)    # the cache may have it for other machines too
        if found:
            return found
    return None


def _runs(path: str, run: Run) -> Installer | None:
    if not path or not os.access(path, os.X_OK):
        return None
    code, out, _ = run([path, '--version'], timeout=30)
    words = out.split()
    if code == 0 and len(words) > 1 and pep440.satisfies(words[1], f'>={OLDEST_UV}'):
        return Installer('uv', path, words[1])
    return None


def find_pip(request: Request, pins: list[locks.Pin]) -> Installer | None:
    """A pip wheel on the node: that of the lock from the cache, else the one that Python came with."""
    for path, version in _cached('pip', request, pins):
        return Installer('pip', path, version)
    folders = []
    try:
        import ensurepip  # absent where the distribution splits Python
        folders.append(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))
    except ImportError:
        pass
    if sys.base_prefix == '/usr':   # Debian keeps them apart; another Python may be too new for the pip there
        folders.append('/usr/share/python-wheels')
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, 'pip-*.whl')), reverse=True):
            version = os.path.basename(path).split('-')[1]
            if pep440.satisfies(version, f'>={OLDEST_PIP}'):
                return Installer('pip', path, version)
    return None


def _cached(name: str, request: Request, pins: list[locks.Pin]) -> Iterator[tuple[str, str]]:
    """Path and version of each wheel in the cache that is what *pins* say of project *name*."""
    if 'cache' not in request.sources or not os.path.isdir(request.wheel_cache):
        return
    names = os.listdir(request.wheel_cache)
    for pin in (pin for pin in pins if pin.name == name):
        for path in (os.path.join(request.wheel_cache, wheel) for wheel in locks.wheels_of(pin, names)):
            if 'sha256:' + locks.sha256(path) in pin.hashes:
                yield path, pin.version
