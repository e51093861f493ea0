"""Images that the command line gives for labels: a tar of disk-image-create, or a container image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from zuul_local.errors import UserError
from zuul_local.nodes import image
from zuul_local.nodes.labels import OFFLINE, Label
from zuul_local.nodes.podman import Podman

GIVEN = f'{image.REPOSITORY}/given'
EXAMPLE = '--image debian-bookworm=images/debian-bookworm-0123456789abcdef.tar'
BLOCK = 1 << 20


def parse(words: Sequence[str], labels: Mapping[str, Label]) -> dict[str, str]:
    """Return {label: tar or image} of ``LABEL=TAR|IMAGE`` words. The offline variant of a label has its image.

    :raises UserError: a word is not of that form, its label is not ours, or given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, what = word.partition('=')
        if not equals or not what:
            raise UserError(f'--image {word!r}: not of the form LABEL=TAR|IMAGE.', EXAMPLE)
        if name not in labels:
            raise UserError(f'--image {word!r}: {name!r} is not a label of ours: {", ".join(labels)}.', EXAMPLE)
        name = name.removesuffix(OFFLINE)
        if name in found:
            raise UserError(f'--image {word!r}: {name} has {found[name]!r} already.', 'Name each label once.')
        found[name] = what
    return found


def provide(podman: Podman, what: str, report: image.Report) -> str:
    """Return the reference in podman's store of *what*, after putting a tar there.

    :raises UserError: it is neither a tar nor an image that is there.
    """
    path = Path(what)
    if not path.is_file():
        if image.exists(podman, what):
            return what
        raise UserError(f'--image: {what!r} is no file, and podman has no image of that name.',
                        'Name the tar of "node build --format tar", or one of: podman images')
    if path.suffix != '.tar':
        raise UserError(f'--image: {what!r} is no tar; a node here is a container and boots no disk.',
                        'zuul-local node build LABEL --format tar --output images')
    reference = named(path)
    if not image.exists(podman, reference):
        with image.alone(reference.rpartition(':')[2]), image.working_folder() as scratch, \
                image.ticking(report, f'image {path.name} into the store of podman'):
            podman.run('import', '--quiet', str(path.resolve()), reference, timeout=900, scratch=scratch)
    return reference


def named(path: Path) -> str:
    """Return the name in podman's store of the tar *path*: the same for the same bytes."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(BLOCK):
            digest.update(block)
    stem = re.sub(r'[^a-z0-9.-]+', '-', path.stem.lower()).strip('-.')[:80] or 'image'
    return f'{GIVEN}:{stem}-{digest.hexdigest()[:16]}'
