# SPDX-License-Identifier: Apache-2.0
"""A folder that strangers have filled, read without ever following a link."""
from __future__ import annotations

import errno
import os
import stat
from typing import Iterator, List, NamedTuple, Tuple

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: bytes; object stores keep no longer name, and some of it is the prefix
LONGEST_PATH = 900
_DEEPEST = 400


class Unreadable(Exception):
    """One thing in the tree cannot be read. The message says why."""


class Entry(NamedTuple):
    """A file or a folder, as it was when its folder was read. *modified* are seconds since 1970."""

    name: str
    is_folder: bool
    size: int
    modified: float


class Folder(NamedTuple):
    """One folder: what is in it, sorted by name, and (path, why) of what in it cannot be published.

    :ivar path: ends with ``/``; '' for the tree itself.
    :ivar links: number of things that are neither file nor folder.
    """

    path: str
    entries: List[Entry]
    unfit: List[Tuple[str, str]]
    links: int


class Tree:
    """The folder *root*. A context manager, and safe to read from several threads.

    :raises OSError: there is none, or it is a link.
    """

    def __init__(self, root: str) -> None:
        self._root = os.open(root, _FOLDER)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def folders(self) -> Iterator[Folder]:
        """Yield the tree's folders, each before those in it."""
        waiting = ['']
        while waiting:
            folder = self._read(waiting.pop())
            yield folder
            waiting += [folder.path + entry.name + '/' for entry in reversed(folder.entries) if entry.is_folder]

    def open(self, path: str) -> int:
        """Return a descriptor of the file at *path*.

        :raises Unreadable: it is no file, or not any more.
        """
        above, _, name = path.rpartition('/')
        try:
            folder = self._enter(above)
            try:
                handle = os.open(name, _FILE, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Unreadable(_why(error)) from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Unreadable('it is no plain file any more')
        return handle

    def _enter(self, path: str) -> int:
        here = os.dup(self._root)
        for name in path.split('/') if path else ():
            try:
                deeper = os.open(name, _FOLDER, dir_fd=here)
            finally:
                os.close(here)
            here = deeper
        return here

    def _read(self, path: str) -> Folder:
        entries: List[Entry] = []
        unfit: List[Tuple[str, str]] = []
        links = 0
        try:
            handle = self._enter(path.rstrip('/'))
        except OSError as error:
            return Folder(path, [], [(path, _why(error))], 0)
        try:
            for name in sorted(os.listdir(handle)):
                why = _unfit(path, name)
                try:
                    status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except OSError as error:
                    why = _why(error)
                if why:
                    unfit.append((ascii(path + name)[1:-1], why))
                elif stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                    entries.append(Entry(name, stat.S_ISDIR(status.st_mode), status.st_size, status.st_mtime))
                else:
                    links += 1
        finally:
            os.close(handle)
        return Folder(path, entries, unfit, links)


def _unfit(path: str, name: str) -> str:
    if not name.isprintable():      # bytes that are not UTF-8 among them
        return 'its name has characters that one cannot see'
    if len((path + name).encode()) > LONGEST_PATH:
        return 'its path has more than %d bytes' % LONGEST_PATH
    if path.count('/') > _DEEPEST:
        return 'it lies below more than %d folders' % _DEEPEST
    return ''


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return 'it became a link meanwhile'
    return error.strerror or str(error)
