"""What an image says of itself: /etc/ci-node-facts.json, wherever it lies."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from zuul_local import process
from zuul_local.errors import UserError
from zuul_local.nodes.podman import Podman

PATH = 'etc/ci-node-facts.json'
MOST = 16_000_000       # bytes

Facts = dict[str, Any]


def parse(text: str) -> Facts:
    """Return the facts in *text*.

    :raises ValueError: they are not.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or 'label' not in found:
        raise ValueError('it has no "label"')
    return found


def beside(file: Path) -> Path:
    """Return where the facts of the image *file* lie, for formats that nobody can look into."""
    return file.with_name(f'{file.name}.facts.json')


def read(what: str, podman: Podman | None) -> Facts:
    """Return the facts of *what*: a JSON file, the tar or disk of an image, or the name of a container image.

    :param podman: whose store has container images; None to look at files only.
    :raises UserError: there are none.
    """
    path = Path(what)
    try:
        if path.is_file():
            return parse(_of_file(path))
        if podman is not None:
            return parse(podman.run('run', '--rm', '--network', 'none', '--entrypoint', 'cat', *podman.ulimits,
                                    '--pull', 'never', what, f'/{PATH}'))
    except (ValueError, OSError, tarfile.TarError) as error:
        raise UserError(f'{what}: no facts of a node in it: {error}.', WANTED) from error
    except process.ProcessError as error:
        raise UserError(f'{what}: no such file, and no container image with facts: {error.stderr.strip()}',
                        WANTED) from error
    raise UserError(f'{what}: there is no such file.', WANTED)


WANTED = 'Name a JSON file of facts, a tar or disk that "node build" made, or a container image.'


def _of_file(path: Path) -> str:
    if path.suffix == '.json':
        return path.read_text(encoding='utf-8')
    if tarfile.is_tarfile(path):
        return in_tar(path)
    aside = beside(path)
    if not aside.is_file():
        raise ValueError(f'a disk has them beside it, and {aside.name} is not there')
    return aside.read_text(encoding='utf-8')


def in_tar(path: Path) -> str:
    """Return the text of the facts in a tar; only a regular file counts."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.removeprefix('./') == PATH and member.isreg():
                file = archive.extractfile(member)
                return '' if file is None else file.read(MOST).decode()
    raise ValueError(f'the tar has no {PATH}')
