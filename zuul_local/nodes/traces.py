"""What an image tells of the machine that made it, which should be nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import tarfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from zuul_local.nodes.site import ANCHORS, DEBIAN, DEBIAN_SECURITY, Site

MOST = 4_000_000        # bytes of a file that are looked at: configuration is small
SHORT = 6               # a shorter word is in every image by chance
PRIVATE_KEY = re.compile(rb'-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}')
# places with files of nobody's machine: documentation, examples and tests of packages, programs
SHIPPED = re.compile(r'usr/(share/(doc|perl|info|man)|lib|bin|sbin|include|[a-z0-9-]+-env/lib)/|var/lib/dpkg/')
MUST_BE_EMPTY = re.compile(
    r'etc/machine-id|root/\.(bash_history|cache/.+|ssh/.+|netrc|python_history)|home/[^/]+/\.(bash_history|cache/.+|netrc)'
    r'|etc/ssh/ssh_host_.*|etc/dib-manifests/.+|var/lib/systemd/random-seed|var/lib/dhcp/.+')
NEVER = re.compile(r'etc/(pip\.conf|uv/uv\.toml)|etc/apt/(auth\.conf.*|apt\.conf\.d/99mmdebstrap)')


@dataclasses.dataclass(frozen=True)
class File:
    """One regular file of an image: its path without the first slash, its size, and its beginning."""

    path: str
    size: int
    data: bytes


def secrets(site: Site, host: str, resolvers: Iterable[str]) -> dict[str, bytes]:
    """Return {what it is: the bytes} of all that is known of this machine and no image may hold.

    :param host: name of this machine.
    :param resolvers: addresses of its name servers.
    """
    found: dict[str, bytes] = {}
    urls = [(name, word) for name, value in (*site.proxies, *site.apt_proxies, *site.pip) for word in value.split()]
    urls += [('apt mirror', uri) for uri in (site.apt_mirror, site.apt_security)
             if uri not in ('', DEBIAN, DEBIAN_SECURITY)]
    for name, word in urls:
        parts = urllib.parse.urlsplit(word if '//' in word else f'//{word}')
        found[f'{name}: host'] = (parts.hostname or '').encode()
        found[f'{name}: password'] = (parts.password or '').encode()
    for name, data in site.anchors:
        lines = [line for line in data.split() if len(line) == 64]
        found[f'certificate authority {name}'] = lines[len(lines) // 2] if lines else b''
    found['host name'] = host.encode()
    found |= {f'name server {address}': address.encode() for address in resolvers}
    public = {b'pypi.org', b'files.pythonhosted.org', b'deb.debian.org', b'localhost', b'127.0.0.1', b'127.0.0.53'}
    return {name: word for name, word in found.items() if len(word) >= SHORT and word not in public}


def scan(files: Iterable[File], known: dict[str, bytes]) -> list[str]:
    """Return a line for each trace: the path and what is there, never the secret itself."""
    return sorted({line for file in files for line in _of(file, known)})


def _of(file: File, known: dict[str, bytes]) -> Iterator[str]:
    if MUST_BE_EMPTY.fullmatch(file.path) and file.size and file.data.strip() != b'uninitialized':
        yield f'/{file.path}: is not empty'
    if NEVER.fullmatch(file.path) and file.data.strip():
        yield f'/{file.path}: is of the machine that made the image'
    if file.path.startswith(ANCHORS.lstrip('/') + '/'):
        yield f'/{file.path}: an authority that the distribution does not have'
    if PRIVATE_KEY.search(file.data) and not SHIPPED.match(file.path):
        yield f'/{file.path}: a private key'
    yield from (f'/{file.path}: {what}' for what, word in known.items() if word in file.data)


def of_tar(path: Path) -> Iterator[File]:
    """Yield the regular files in the tar of an image."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isreg():
                file = archive.extractfile(member)
                if file is not None:
                    yield File(member.name.removeprefix('./'), member.size, file.read(MOST))


def of_tree(root: Path) -> Iterator[File]:
    """Yield the regular files below *root*; no link is followed."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                with path.open('rb') as file:
                    yield File(str(path.relative_to(root)), path.stat().st_size, file.read(MOST))
