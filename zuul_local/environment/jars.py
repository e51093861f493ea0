"""Jars by digest, fetched by Maven: it knows the repositories, mirrors and proxies of this machine."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from zuul_local.environment.cache import alone, step
from zuul_local.errors import UserError
from zuul_local.process import ProcessError, run

POM, SUMS = 'pom.xml', 'sha256'
PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
TIMEOUT = 900           # seconds


def ensure(lock: Path, cache: Path) -> Path:
    """Return a folder with the jars that *lock* names, and nothing else.

    :param lock: folder with a pom.xml and the file sha256, of their digests.
    :param cache: where folders of jars are kept.
    :raises UserError: they cannot be fetched, or are not what the lock says.
    """
    folder = cache / hashlib.sha256((lock / POM).read_bytes() + (lock / SUMS).read_bytes()).hexdigest()[:16]
    if folder.exists():
        return folder
    with alone(folder) as held:
        if not folder.exists():
            part = folder.with_name(f'{folder.name}.part')
            shutil.rmtree(part, ignore_errors=True)
            with step('jars of Gerrit', '90 MB', '10 s'):
                _fetch(lock / POM, part, held)
            check(part, wanted((lock / SUMS).read_text(encoding='utf-8')))
            part.rename(folder)
    return folder


def wanted(text: str) -> dict[str, str]:
    """Return file name -> sha256 of what sha256sum printed."""
    return {name.strip(): digest for digest, _, name in (line.partition(' ') for line in text.splitlines())}


def check(folder: Path, digests: dict[str, str]) -> None:
    """Compare the files in *folder* with *digests*.

    :raises UserError: another file is there, one is missing, or one is another.
    """
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    wrong = sorted(name for name in found.keys() | digests.keys() if found.get(name) != digests.get(name))
    if wrong:
        raise UserError(f'{", ".join(wrong)}: not what the lock says. Nothing of it was used.',
                        'The Maven repository is broken, or somebody changed a file: use another one (settings.xml).')


def argv(pom: Path, folder: Path) -> tuple[str, ...]:
    """Return the command that copies what *pom* depends on to *folder*."""
    return ('mvn', '--batch-mode', '--quiet', '--file', str(pom), PLUGIN, '-DexcludeTransitive=true',
            f'-DoutputDirectory={folder}')


def _fetch(pom: Path, folder: Path, held: int) -> None:
    try:
        run(argv(pom, folder), timeout=TIMEOUT, pass_fds=(held,))
    except ProcessError as error:
        raise UserError(f'The jars of Gerrit cannot be fetched:\n{(error.stdout or error.stderr).strip()}',
                        'Check the network, or name your mirror in ~/.m2/settings.xml.') from None
