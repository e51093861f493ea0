# SPDX-License-Identifier: Apache-2.0
"""Where files from a node are laid down: nothing outside of one folder is ever touched."""
from __future__ import annotations

import filecmp
import os
import stat
import tempfile
from typing import IO, Any, Iterator, List, Optional, Sequence

# Executable for all or for none; nothing else of a mode is the node's to say.
_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755
_NO_LINK = os.O_NOFOLLOW | os.O_DIRECTORY | os.O_RDONLY
_PATH_BYTES = 4000


class Unsafe(Exception):
    """A file is not laid down. The message says why."""


def parts(path: str) -> List[str]:
    """Return the names that *path* is made of.

    :raises Unsafe: the path could lead elsewhere, or has characters that would disturb a terminal or a page.
    """
    names = path.split('/')
    if any(name in ('', '.', '..') for name in names):
        raise Unsafe('not a path below the folder')
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise Unsafe('a control character in its name')
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise Unsafe('its name is too long')
    return names


class Store:
    """A folder on the executor that takes what nodes send.

    :param root: the folder; made when it is not there.
    :param reserved: paths of files that are somebody else's and stay.
    :param shared_by: the name of the node, where several nodes fill the same folder. A file that another node has
        laid down with a different content stays, and this node's goes to a folder of the node's name.
    """

    def __init__(self, root: str, shared_by: str = '', reserved: Sequence[str] = ()) -> None:
        self._shared_by = shared_by
        self._reserved = reserved
        os.makedirs(root, exist_ok=True)
        self._root = os.open(root, os.O_DIRECTORY | os.O_RDONLY)
        self._path = root
        self.changed = False

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    def _enter(self, names: Sequence[str]) -> int:
        """Return a descriptor of the folder below, made where it is missing, never through a link."""
        here = os.dup(self._root)
        try:
            for name in names:
                try:
                    os.mkdir(name, _FOLDER, dir_fd=here)
                    self.changed = True
                except FileExistsError:
                    pass
                deeper = os.open(name, _NO_LINK, dir_fd=here)
                os.close(here)
                here = deeper
        except OSError as error:
            os.close(here)
            raise Unsafe('on the executor: %s: %s' % (name, error.strerror)) from error
        return here

    def folder(self, path: str) -> None:
        """Make a folder.

        :raises Unsafe: it cannot be.
        """
        os.close(self._enter(parts(path)))

    def file(self, path: str, chunks: Iterator[bytes], mode: int, mtime: float) -> str:
        """Lay down a file whole or not at all. Return the path that it has.

        *chunks* is always read to its end.

        :raises Unsafe: it cannot be.
        """
        with tempfile.NamedTemporaryFile(prefix='.fetch-', dir=self._path, delete=False) as new:
            try:
                return self._settle(new, path, chunks, mode, mtime)
            except (OSError, OverflowError, ValueError) as error:
                reason = Unsafe('on the executor: %s' % error)
            except Unsafe as error:
                reason = error
            finally:
                _unlink(new.name)
        for _ in chunks:
            pass
        raise reason

    def _settle(self, new: Any, path: str, chunks: Iterator[bytes], mode: int, mtime: float) -> str:
        self._fill(new, chunks)
        names = parts(path)
        if '/'.join(names) in self._reserved:
            raise Unsafe('this is the name of a file of Zuul')
        os.fchmod(new.fileno(), _PROGRAM if mode & stat.S_IXUSR else _FILE)
        os.utime(new.fileno(), (mtime, mtime))
        if self._place(new.name, names):
            return path
        self._place(new.name, [self._shared_by, *names], replace=True)
        return self._shared_by + '/' + path

    @staticmethod
    def _fill(new: IO[bytes], chunks: Iterator[bytes]) -> None:
        for data in chunks:
            new.write(data)
        new.flush()

    def _place(self, new: str, names: Sequence[str], replace: bool = False) -> bool:
        """Move *new* to its place. Return False when another node's file is there."""
        folder = self._enter(names[:-1])
        try:
            there = _status(names[-1], folder)
            if there is not None:
                if not stat.S_ISREG(there.st_mode):
                    raise Unsafe('on the executor: %s is not a file' % names[-1])
                if self._same(new, names[-1], folder, there):
                    return True
            if self._shared_by and not replace:
                try:
                    os.link(new, names[-1], dst_dir_fd=folder)
                except FileExistsError:
                    return False
            else:
                os.replace(new, names[-1], dst_dir_fd=folder)
            self.changed = True
            return True
        finally:
            os.close(folder)

    @staticmethod
    def _same(new: str, name: str, folder: int, there: os.stat_result) -> bool:
        return (os.stat(new).st_size == there.st_size
                and filecmp.cmp(new, '/proc/self/fd/%d/%s' % (folder, name), shallow=False))


def _status(name: str, folder: int) -> Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
