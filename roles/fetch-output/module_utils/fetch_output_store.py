# SPDX-License-Identifier: Apache-2.0
"""Where files from a node are laid down: nothing outside of one folder is ever touched."""
from __future__ import annotations

import os
import secrets
import stat
from typing import IO, Iterator, List, Optional, Sequence

# Executable for all or for none; nothing else of a mode is the node's to say.
_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755
_CHUNK = 1 << 20
_NO_LINK = os.O_NOFOLLOW | os.O_DIRECTORY | os.O_RDONLY
# What publishes files takes no longer paths, and what clears up cannot go deeper than Python's stack.
_PATH_BYTES, _DEEPEST = 1024, 250


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
    try:
        size = len(os.fsencode(path))
    except UnicodeEncodeError:
        raise Unsafe('no name that there could be') from None
    if size > _PATH_BYTES:
        raise Unsafe('its path is longer than %d bytes' % _PATH_BYTES)
    if len(names) > _DEEPEST:
        raise Unsafe('below more than %d folders' % (_DEEPEST - 1))
    return names


class Store:
    """A folder on the executor that takes what nodes send.

    :param root: the folder; made when it is not there. A link is refused: jobs write beside it.
    :param folder: name of a folder in it that is used in its place.
    :param reserved: paths of files that are somebody else's, and never laid down.
    :param shared_by: the name of the node, where several nodes fill the same folder. A file that another node has
        laid down with a different content stays, and this node's goes to a folder of the node's name.
    :raises OSError: the folder cannot be made.
    """

    def __init__(self, root: str, folder: str = '', shared_by: str = '', reserved: Sequence[str] = ()) -> None:
        self._shared_by = shared_by
        self._reserved = reserved
        self.changed = False
        os.makedirs(root, exist_ok=True)
        self._root = os.open(root, _NO_LINK)
        if folder:
            top = self._root
            try:
                self._root = self._enter(parts(folder))
            except Unsafe as error:
                raise OSError(str(error)) from error
            finally:
                os.close(top)

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
        name = '.fetch-' + secrets.token_hex(16)
        try:
            new = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE, dir_fd=self._root)
            with open(new, 'w+b') as file:
                return self._settle(file, name, path, chunks, mode, mtime)
        except (OSError, OverflowError, ValueError) as error:
            reason = Unsafe('on the executor: %s' % error)
        except Unsafe as error:
            reason = error
        finally:
            self._unlink(name)
        for _ in chunks:
            pass
        raise reason

    def _settle(self, new: IO[bytes], name: str, path: str, chunks: Iterator[bytes], mode: int, mtime: float) -> str:
        for data in chunks:
            new.write(data)
        new.flush()
        names = parts(path)
        if path in self._reserved:
            raise Unsafe('this is the name of a file of Zuul')
        os.fchmod(new.fileno(), _PROGRAM if mode & stat.S_IXUSR else _FILE)
        os.utime(new.fileno(), (mtime, mtime))
        if self._place(new, name, names):
            return path
        self._place(new, name, [*parts(self._shared_by), *names], replace=True)
        return self._shared_by + '/' + path

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._root)
        except FileNotFoundError:
            pass

    def _place(self, new: IO[bytes], name: str, names: Sequence[str], replace: bool = False) -> bool:
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
                    os.link(name, names[-1], src_dir_fd=self._root, dst_dir_fd=folder)
                except FileExistsError:
                    return False
            else:
                os.replace(name, names[-1], src_dir_fd=self._root, dst_dir_fd=folder)
            self.changed = True
            return True
        finally:
            os.close(folder)

    @staticmethod
    def _same(new: IO[bytes], name: str, folder: int, there: os.stat_result) -> bool:
        if os.fstat(new.fileno()).st_size != there.st_size:
            return False
        new.seek(0)
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), 'rb') as old:
            return all(old.read(_CHUNK) == data for data in iter(lambda: new.read(_CHUNK), b''))


def _status(name: str, folder: int) -> Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
