"""The source distribution of the locked Zuul: it carries Zuul's tests, which the wheel does not.

It is fetched through the index of this machine when a test wants it, by version and digest of the lock, and kept in
the cache of the user.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tarfile
import tempfile
from pathlib import Path

from zuul_local import paths
from zuul_local.environment import index

LOCK = paths.LIBRARY / 'requirements' / 'zuul.txt'


@functools.cache
def tests_of_zuul() -> Path:
    """Return the folder ``tests`` of Zuul's source distribution."""
    pin = index.pins(LOCK.read_text(encoding='utf-8'))['zuul']
    folder = paths.cache_dir() / 'golden' / f'zuul-{pin.version}'
    if not folder.is_dir():
        archive = _fetch(pin)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            path = Path(scratch, 'zuul.tar.gz')
            path.write_bytes(archive)
            with tarfile.open(path) as opened:
                opened.extraction_filter = getattr(tarfile, 'data_filter', None)    # not in the first 3.11
                opened.extractall(scratch)
            try:
                os.rename(Path(scratch, f'zuul-{pin.version}'), folder)
            except OSError:     # another process was faster
                if not folder.is_dir():
                    raise
    return folder / 'tests'


def _fetch(pin: index.Pin) -> bytes:
    """Return the archive.

    :raises AssertionError: no index has it, or what one has is not what the lock says.
    """
    here, filename = index.here(), f'zuul-{pin.version}.tar.gz'
    for base in here.urls:
        answer, kind, url = index._get(f'{base}/zuul/', here, f'{index.JSON}, text/html;q=0.5')
        read = index.json_links if kind == index.JSON else index.html_links
        for link in read(answer.decode('utf-8', 'replace'), url):
            if link.filename == filename:
                data, _, _ = index._get(index._with_credentials(link.url, base), here, '*/*')
                digest = hashlib.sha256(data).hexdigest()
                assert digest in pin.digests, f'{link.url} is not what {LOCK} says: sha256 {digest}'
                return data
    raise AssertionError(f'no index of {here.urls} has {filename}')
