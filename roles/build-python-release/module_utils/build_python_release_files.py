# SPDX-License-Identifier: Apache-2.0
"""Look at, and make the same every time, what is built for a Python package index."""
from __future__ import annotations

import email.message
import email.parser
import gzip
import hashlib
import os
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ENDS = ('.tar.gz', '.zip', '.whl')
SDIST, WHEEL = 'python_sdist', 'python_wheel'
_WORD = r'[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?'
_VERSION = r'[A-Za-z0-9][A-Za-z0-9.!+_]*'
_SDIST = re.compile(r'(?P<name>%s(?:-%s)*)-(?P<version>[0-9][A-Za-z0-9.!+_]*)\.(?:tar\.gz|zip)' % (_WORD, _WORD))
_WHEEL = re.compile(r'(?P<name>%s)-(?P<version>%s)(?:-[0-9]\w*)?-[\w.]+-[\w.]+-[\w.]+\.whl' % (_WORD, _VERSION),
                    re.ASCII)
_LARGEST_METADATA = 4 << 20


class Unusable(Exception):
    """A file cannot be released. The message says why."""


def is_built(name: str) -> bool:
    """Return whether a file has a name as what is built. Pure."""
    return name.endswith(ENDS)


def project(name: str) -> str:
    """Return the name of a project as an index compares it (PEP 503). Pure."""
    return re.sub(r'[-_.]+', '-', name).lower()


def parse(name: str) -> Optional[Tuple[str, str, str]]:
    """Return type, project and version that the name of a file tells; None when it is neither sdist nor wheel. Pure."""
    match = (_WHEEL if name.endswith('.whl') else _SDIST).fullmatch(name)
    if not match:
        return None
    return WHEEL if name.endswith('.whl') else SDIST, project(match['name']), match['version'].replace('_', '-')


def open_folder(path: str) -> int:
    """Open a folder that must not be reached through a link.

    :raises Unusable: it is a link or something else, or is not there.
    """
    try:
        return os.open(path, FOLDER)
    except OSError as error:
        if os.path.islink(path):
            raise Unusable("'%s' is a link: what it leads to is not touched. Take it away" % path) from error
        raise Unusable("'%s' is no folder that can be read: %s" % (path, error.strerror)) from error


def open_file(folder: int, name: str) -> BinaryIO:
    """Open a plain file of a folder.

    :raises Unusable: it is a link or something else.
    """
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except OSError as error:
        raise Unusable("'%s' is no plain file that can be read: %s" % (shown(name), error.strerror)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unusable("'%s' is no plain file" % shown(name))
    return os.fdopen(descriptor, 'rb')


def shown(name: str) -> str:
    """Return a name for a message, whatever is in it. Pure."""
    return ascii(name)[1:-1]


def digest(stream: BinaryIO) -> Tuple[str, int]:
    """Return sha256 and size of a file."""
    found, size = hashlib.sha256(), 0
    for block in iter(lambda: stream.read(1 << 20), b''):
        found.update(block)
        size += len(block)
    return found.hexdigest(), size


def look(path: str) -> List[Dict[str, Any]]:
    """Return what was built, source first: a list of name, path, type, project, version, sha256 and size.

    :param path: the folder ``dist``.
    :raises Unusable: something is there that cannot be released.
    """
    folder = open_folder(path)
    try:
        found = []
        for name in sorted(filter(is_built, os.listdir(folder))):
            told = parse(name)
            if told is None:
                raise Unusable("'%s' is no name of an sdist or a wheel" % shown(name))
            with open_file(folder, name) as stream:
                sha256, size = digest(stream)
            found.append({'name': name, 'path': os.path.join(path, name), 'type': told[0], 'project': told[1],
                          'version': told[2], 'sha256': sha256, 'size': size})
        return sorted(found, key=lambda one: (one['type'], one['name']))
    finally:
        os.close(folder)


def metadata(path: str) -> email.message.Message:
    """Return the metadata of an sdist or a wheel.

    :raises Unusable: it has none.
    """
    folder = open_folder(os.path.dirname(path))
    name = os.path.basename(path)
    try:
        with open_file(folder, name) as stream:
            if name.endswith('.tar.gz'):
                raw = _from_tar(stream)
            else:
                raw = _from_zip(stream, '.dist-info/METADATA' if name.endswith('.whl') else '/PKG-INFO')
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise Unusable("'%s' is damaged: %s" % (name, error)) from error
    finally:
        os.close(folder)
    if raw is None:
        raise Unusable("'%s' has no metadata" % name)
    return email.parser.Parser().parsestr(raw.decode('utf-8', 'replace'))


def _from_tar(stream: BinaryIO) -> Optional[bytes]:
    with tarfile.open(fileobj=stream, mode='r:gz') as archive:
        for member in archive:
            if member.isreg() and re.fullmatch(r'[^/]+/PKG-INFO', member.name):
                content = archive.extractfile(member)
                return content.read(_LARGEST_METADATA) if content else None
    return None


def _from_zip(stream: BinaryIO, end: str) -> Optional[bytes]:
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            if name.endswith(end) and name.count('/') == 1:
                with archive.open(name) as content:
                    return content.read(_LARGEST_METADATA)
    return None


def settle(path: str, epoch: int) -> bool:
    """Write the archive of sources anew, so that it is the same wherever and whenever it is built.

    Members are sorted and belong to nobody; none is newer than *epoch*; modes tell only who may run a file.

    :return: whether it was changed.
    :raises Unusable: it cannot be read.
    """
    above = os.path.dirname(path)
    folder = open_folder(above)
    fresh = ''
    try:
        with open_file(folder, os.path.basename(path)) as stream:
            before = digest(stream)
            stream.seek(0)
            descriptor, fresh = tempfile.mkstemp(prefix='.settle-', dir=above)
            with open(descriptor, 'w+b') as target:
                with tarfile.open(fileobj=stream, mode='r:gz') as old:
                    _write(old, target, epoch)
                target.seek(0)
                after = digest(target)
        if before == after:
            return False
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
        fresh = ''
        return True
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise Unusable("'%s' is damaged: %s" % (os.path.basename(path), error)) from error
    finally:
        if fresh:
            os.unlink(fresh)
        os.close(folder)


def _write(old: tarfile.TarFile, target: BinaryIO, epoch: int) -> None:
    with gzip.GzipFile(filename='', mode='wb', compresslevel=9, fileobj=target, mtime=epoch) as packed, \
            tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as new:
        # What a hard link stands for has to come before it.
        for member in sorted(old.getmembers(), key=lambda one: (one.islnk(), one.name)):
            member.uid = member.gid = 0
            member.uname = member.gname = ''
            member.mtime = min(int(member.mtime), epoch)
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
