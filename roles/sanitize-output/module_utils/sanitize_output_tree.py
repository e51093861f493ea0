# SPDX-License-Identifier: Apache-2.0
"""Leave nothing but plain files and folders in a tree that somebody else has filled, and never look out of it."""
from __future__ import annotations

import collections
import errno
import os
import secrets
import stat
import time
from typing import Any, Counter, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from ansible.module_utils.sanitize_output_names import free_name, safe_name

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
TRASH = '.sanitize-'
# Object stores take no longer ones.
LONGEST_PATH = 1024
_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755
_PASSES = 5
_LISTED = 1000
_REMOVAL = 60      # seconds
_BATCH = 10000
RESTLESS = 'something still writes to the folder while it is made safe; nothing is to be published'
# A name does not mean any more what it did a moment ago.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


class Limits(NamedTuple):
    """What a tree may have: *files* (and folders), *bytes* in all and in one file, *depth* of folders."""

    files: int
    bytes: int
    file_bytes: int
    depth: int


class Refused(Exception):
    """The tree cannot be made safe. The message says why and what to do."""


class Record:
    """What was done: how often, and to which of the first thousand files."""

    def __init__(self) -> None:
        self.counts: Counter[str] = collections.Counter()
        self.entries: Dict[str, List[Dict[str, Any]]] = {}

    def add(self, what: str, **entry: Any) -> None:
        """Note that *what* was done."""
        self.counts[what] += 1
        entries = self.entries.setdefault(what, [])
        if len(entries) < _LISTED:
            entries.append(entry)


class Clock:
    """Says when the time is over.

    :param seconds: how long it takes until then.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def over(self) -> bool:
        """Return whether it is."""
        return time.monotonic() > self._end


def open_root(path: str) -> int:
    """Return a descriptor of the folder *path*.

    :raises Refused: it is none, or a link.
    """
    try:
        return os.open(path, FOLDER)
    except OSError as error:
        raise Refused("sanitize_output_root is '%s': %s. It must be a folder, and no link."
                      % (path, error.strerror)) from error


def joined(above: str, name: str) -> str:
    """Return the path of *name* in the folder *above*, which is '' for the root."""
    return above + '/' + name if above else name


def refusal(status: os.stat_result, path: str, depth: int, limits: Limits) -> str:
    """Return why something is not kept, whatever else is in the tree; '' when it may be. Pure."""
    for test, name in ((stat.S_ISLNK, 'a link'), (stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'),
                       (stat.S_ISCHR, 'a device'), (stat.S_ISBLK, 'a device')):
        if test(status.st_mode):
            return name
    if stat.S_ISDIR(status.st_mode) and depth > limits.depth:
        return 'below more than %d folders' % limits.depth
    if len(os.fsencode(path)) > LONGEST_PATH:
        return 'a path of more than %d bytes' % LONGEST_PATH
    if stat.S_ISREG(status.st_mode) and status.st_size > limits.file_bytes:
        return 'larger than %d bytes' % limits.file_bytes
    return ''


class Tree:
    """A folder that is made safe.

    :param root: its descriptor, see :func:`open_root`.
    :param live: names of files right in it that somebody still writes to: they stay where they are, of any size.
    """

    def __init__(self, root: int, limits: Limits, live: Sequence[str], clock: Clock, record: Record) -> None:
        self._root, self._limits, self._live, self._clock, self._record = root, limits, live, clock, record
        self.files = self.folders = self.bytes = 0
        self._entries = 0
        self._changed = False
        self._names: Counter[Tuple[int, int]] = collections.Counter()
        self._links: Dict[Tuple[int, int], int] = {}
        self._shared: Set[Tuple[int, int]] = set()
        self.trash_name = TRASH + secrets.token_hex(16)
        os.mkdir(self.trash_name, 0o700, dir_fd=root)
        self.trash = os.open(self.trash_name, FOLDER, dir_fd=root)

    def close(self) -> None:
        """Remove what was set aside.

        :raises Refused: it takes too long.
        """
        self._clock = Clock(_REMOVAL)   # late or not, it must not be published
        self._empty_trash()
        os.close(self.trash)
        os.rmdir(self.trash_name, dir_fd=self._root)

    def tidy(self) -> None:
        """Go through the tree until there is nothing more to do.

        :raises Refused: somebody fills it meanwhile, or it takes too long.
        """
        for _ in range(_PASSES):
            self._changed = False
            self.files = self.folders = self.bytes = self._entries = 0
            self._names.clear()
            self._links.clear()
            try:
                self._pass()
            except OSError as error:
                if error.errno not in GONE:
                    raise
                self._changed = True
            shared = {inode for inode, links in self._links.items() if self._names[inode] != links}
            new, self._shared = shared - self._shared, shared
            if not self._changed and not new:
                return
        raise Refused(RESTLESS)

    def _pass(self) -> None:
        stack = [(os.dup(self._root), '', self._listed(self._root, ''))]
        try:
            while stack:
                if self._clock.over():
                    raise Refused('not done in time (sanitize_output_timeout) with %d files; nothing is to be published'
                                  % self.files)
                folder, path, names = stack[-1]
                if not names:
                    os.close(stack.pop()[0])
                    continue
                deeper = self._entry(folder, path, names.pop(), len(stack))
                if deeper:
                    descriptor = os.open(deeper.rpartition('/')[2], FOLDER, dir_fd=folder)
                    stack.append((descriptor, deeper, []))
                    stack[-1][2].extend(self._listed(descriptor, deeper))
        finally:
            for folder, _, _ in stack:
                os.close(folder)

    def _listed(self, folder: int, above: str) -> List[str]:
        """Return the names in *folder*, last first, as many as the tree may still have; the others are dropped."""
        names: List[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                path = joined(above, safe_name(os.fsencode(entry.name)))
                if path == self.trash_name:
                    continue
                if self._entries >= self._limits.files and path not in self._live:
                    self._drop(folder, entry.name, path, 'one of more than %d files' % self._limits.files)
                    continue
                self._entries += 1
                names.append(entry.name)
        names.sort(reverse=True)
        return names

    def _entry(self, folder: int, above: str, name: str, depth: int) -> str:
        """Make one thing safe. Return its path if it is a folder to go into, else ''."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        safe = safe_name(os.fsencode(name))
        path = joined(above, safe)
        live = path in self._live and stat.S_ISREG(status.st_mode)
        inode = (status.st_dev, status.st_ino)
        why = '' if live else refusal(status, path, depth, self._limits)
        if not above and name.startswith(TRASH):
            why = 'left by an earlier run'
        elif inode in self._shared:
            why = 'a hard link to a file elsewhere'
        elif not why and not live and self.bytes + status.st_size > self._limits.bytes and stat.S_ISREG(status.st_mode):
            why = 'beyond %d bytes in all' % self._limits.bytes
        if why:
            self._drop(folder, name, path, why)
            return ''
        if safe != name:
            name, was = self._rename(folder, name), name
            path = joined(above, name)
            self._record.add('renamed', path=path, was=was)
        self._settle(folder, name, status)
        if stat.S_ISDIR(status.st_mode):
            self.folders += 1
            return path
        self.files += 1
        self.bytes += status.st_size
        if status.st_nlink > 1:
            self._names[inode] += 1
            self._links[inode] = status.st_nlink
        return ''

    def _rename(self, folder: int, name: str) -> str:
        def taken(text: str) -> bool:
            try:
                os.stat(text, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
            return True

        new = free_name(os.fsencode(name), taken)
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        self._changed = True
        return new

    def _settle(self, folder: int, name: str, status: os.stat_result) -> None:
        """Give it the mode that everything of its kind has."""
        wanted = _FOLDER if stat.S_ISDIR(status.st_mode) else _PROGRAM if status.st_mode & stat.S_IXUSR else _FILE
        if stat.S_IMODE(status.st_mode) != wanted:
            chmod(folder, name, wanted)
            self._record.counts['modes'] += 1
            self._changed = True

    def _drop(self, folder: int, name: str, path: str, why: str) -> None:
        self._changed = True
        self._record.add('dropped', path=path, why=why)
        self.remove(folder, name)

    def remove(self, folder: int, name: str) -> None:
        """Take a file or a folder with all that is in it out of the tree, however deep it is."""
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            chmod(folder, name, 0o700)     # a folder that moves has to be writable
            os.rename(name, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=self.trash)

    def _empty_trash(self) -> None:
        """Remove what was set aside: one folder after the other, those in it being moved up first."""
        while True:
            names = _some(self.trash)
            if not names:
                return
            for name in names:
                chmod(self.trash, name, 0o700)
                folder = os.open(name, FOLDER, dir_fd=self.trash)
                try:
                    while self._strip(folder):
                        if self._clock.over():
                            raise Refused('what is not kept could not be removed in %d seconds; nothing is to be '
                                          'published' % _REMOVAL)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=self.trash)

    def _strip(self, folder: int) -> bool:
        names = _some(folder)
        for name in names:
            self.remove(folder, name)
        return bool(names)


def _some(folder: int) -> List[str]:
    """Return some names of *folder*, and none only when it is empty."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) == _BATCH:
                break
    return names


def chmod(folder: int, name: str, mode: int) -> None:
    """Set the mode of what may not be readable, and of nothing that a link leads to."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(handle).st_mode):
            raise Refused('%s became a link meanwhile' % safe_name(os.fsencode(name)))
        os.chmod('/proc/self/fd/%d' % handle, mode)
    finally:
        os.close(handle)


def walk(root: int, skip: Sequence[str]) -> Iterator[Tuple[int, str, str, os.stat_result]]:
    """Yield (descriptor of its folder, name, path, status) of every file in a tree that is safe.

    :param skip: names in *root* that are left out.
    """
    stack = [(os.dup(root), '', sorted(set(os.listdir(root)).difference(skip), reverse=True))]
    try:
        while stack:
            folder, above, names = stack[-1]
            if not names:
                os.close(stack.pop()[0])
                continue
            name = names.pop()
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                descriptor = os.open(name, FOLDER, dir_fd=folder)
                stack.append((descriptor, joined(above, name), sorted(os.listdir(descriptor), reverse=True)))
            else:
                yield folder, name, joined(above, name), status
    finally:
        for folder, _, _ in stack:
            os.close(folder)
