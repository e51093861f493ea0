# SPDX-License-Identifier: Apache-2.0
"""Files below a root that somebody else has filled, read without being led elsewhere."""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from typing import Any, Iterator, List, Optional

TEXT_LIMIT = 64 << 10
FILE_LIMIT = 8 << 30


class Strange(Exception):
    """A file is no file that a node of ours has. The message begins with its path."""


def printable(text: str) -> str:
    """Return *text* short, and with everything escaped that is not a character one can see."""
    text = text if len(text) <= 200 else text[:200] + '...'
    return ''.join(char if char.isprintable() else char.encode('unicode_escape', 'replace').decode('ascii')
                   for char in text)


def told(value: Any) -> str:
    """Return how *value* is written in a message."""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=True))


class Tree:
    """The files below a root. On the way to none of them a link is followed."""

    def __init__(self, root: str) -> None:
        self.root = root

    @contextlib.contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in (part for part in path.split('/') if part):
                if name == '..':
                    raise Strange('%s has .. in it' % printable(path))
                try:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise Strange('%s: %s on the way is a link or no folder (%s)'
                                  % (printable(path), printable(name), error.strerror)) from None
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def names(self, path: str) -> List[str]:
        """Return the names in a folder; none where it is not."""
        try:
            with self._folder(path) as folder:
                return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def status(self, path: str) -> Optional[os.stat_result]:
        """Return what a path is, a link's own; None where nothing is."""
        above, _, name = path.rstrip('/').rpartition('/')
        try:
            with self._folder(above) as folder:
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _file(self, path: str) -> Iterator[int]:
        above, _, name = path.rpartition('/')
        with self._folder(above) as folder:
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if not stat.S_ISREG(kind):
                raise Strange('%s is %s and no regular file' % (printable(path), kind_of(kind)))
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Strange('%s changed while it was looked at' % printable(path))
            yield handle
        finally:
            os.close(handle)

    def read(self, path: str, limit: int = TEXT_LIMIT) -> Optional[bytes]:
        """Return the bytes of a regular file; None where nothing is.

        :raises Strange: it is no regular file, or longer than *limit*.
        """
        try:
            with self._file(path) as handle:
                data = b''
                while len(data) <= limit:
                    part = os.read(handle, limit + 1 - len(data))
                    if not part:
                        return data
                    data += part
        except FileNotFoundError:
            return None
        raise Strange('%s is longer than %d bytes' % (printable(path), limit))

    def digest(self, path: str) -> str:
        """Return the sha256 of a regular file."""
        summed, length = hashlib.sha256(), 0
        with self._file(path) as handle:
            for part in iter(lambda: os.read(handle, 1 << 20), b''):
                summed.update(part)
                length += len(part)
                if length > FILE_LIMIT:    # the kernel has regular files without an end
                    raise Strange('%s is longer than %d bytes' % (printable(path), FILE_LIMIT))
        return summed.hexdigest()


def kind_of(mode: int) -> str:
    """Return what a file is, in words."""
    for test, word in ((stat.S_ISLNK, 'a link'), (stat.S_ISDIR, 'a folder'), (stat.S_ISFIFO, 'a pipe'),
                       (stat.S_ISSOCK, 'a socket'), (stat.S_ISREG, 'a file')):
        if test(mode):
            return word
    return 'a device'
