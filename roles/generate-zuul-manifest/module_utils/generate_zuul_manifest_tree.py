# SPDX-License-Identifier: Apache-2.0
"""What is in a folder that somebody else has filled, and how to write there without being led elsewhere."""
from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from typing import Any, Dict, List, Tuple

from ansible.module_utils.generate_zuul_manifest_index import MARK, NAME, page
from ansible.module_utils.generate_zuul_manifest_types import FOLDER, file_type

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Each costs an open file here, and a call in the browser.
DEEPEST = 400
_SAMPLE = 512
_TOLD = 20


class TooLate(Exception):
    """The time is over."""


class Listing:
    """Goes through a folder, through no link, and lists plain files and folders.

    :param pages: whether to write a page into each folder that has none.
    :param skip: name of a file right in the folder that is not listed.
    :param most: files and folders that are listed.
    :param seconds: how long it may take.
    :ivar changed: whether a page was written.
    :ivar lines: what is not as it should be.
    """

    def __init__(self, pages: bool, skip: str, most: int, seconds: float) -> None:
        self._pages, self._skip, self._left, self._end = pages, skip, most, time.monotonic() + seconds
        self._missing = 0
        self.changed = False
        self.files = 0
        self.lines: List[str] = []

    def tell(self, path: Tuple[str, ...], what: str) -> None:
        """Note what is not as it should be."""
        if len(self.lines) < _TOLD:
            self.lines.append('%s: %s' % (ascii('/'.join(path))[1:-1] or '.', what))

    def tree(self, folder: int) -> List[Dict[str, Any]]:
        """Return the entries of the folder with that descriptor.

        :raises TooLate: the time is over.
        """
        found = self._entries(folder, ())
        if self._missing:
            self.lines.append('%d files and folders are not listed (generate_zuul_manifest_max_entries)'
                              % self._missing)
        return found

    def _entries(self, folder: int, path: Tuple[str, ...]) -> List[Dict[str, Any]]:
        if time.monotonic() > self._end:
            raise TooLate
        folders, files = [], []
        for name in sorted(os.listdir(folder)):
            with contextlib.suppress(OSError):      # gone meanwhile, or another thing by now
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                deeper = stat.S_ISDIR(status.st_mode)
                if not (deeper or stat.S_ISREG(status.st_mode)) or (not path and name == self._skip):
                    continue
                if not self._fits(name, path):
                    continue
                if deeper:
                    folders.append(self._folder(folder, name, path))
                else:
                    entry = self._file(folder, name, status)
                    if entry:
                        files.append(entry)
                        self.files += 1
        entries = folders + files
        if self._pages:
            self._page(folder, path, entries)
        return entries

    def _fits(self, name: str, path: Tuple[str, ...]) -> bool:
        try:
            name.encode()
        except UnicodeEncodeError:      # Zuul's page shows nothing at all when it meets one
            self.tell((*path, name), 'is not listed, its name is not UTF-8')
            return False
        if len(path) >= DEEPEST:
            self.tell((*path[:9], '…'), 'is not listed, below more than %d folders' % DEEPEST)
            return False
        self._left -= 1
        self._missing += self._left < 0
        return self._left >= 0

    def _folder(self, above: int, name: str, path: Tuple[str, ...]) -> Dict[str, Any]:
        descriptor = os.open(name, OPEN_FOLDER, dir_fd=above)
        try:
            return {'name': name, 'mimetype': FOLDER, 'encoding': None,
                    'children': self._entries(descriptor, (*path, name))}
        finally:
            os.close(descriptor)

    @staticmethod
    def _file(folder: int, name: str, status: os.stat_result) -> Dict[str, Any]:
        start = b''
        if status.st_size:
            descriptor = os.open(name, _FILE, dir_fd=folder)
            try:
                start = os.read(descriptor, max(_SAMPLE, len(MARK)))
            finally:
                os.close(descriptor)
        if name == NAME and start.startswith(MARK):
            return {}
        kind, packed = file_type(name, start[:_SAMPLE])
        return {'name': name, 'mimetype': kind, 'encoding': packed, 'last_modified': int(status.st_mtime),
                'size': status.st_size}

    def _page(self, folder: int, path: Tuple[str, ...], entries: List[Dict[str, Any]]) -> None:
        """Write the page of a folder; of a job's own, only the one in the root makes room for ours."""
        own = [entry for entry in entries if entry['name'] == NAME]
        try:
            if own and not path:
                own[0]['name'] = moved_away(folder, NAME)
                entries.sort(key=lambda entry: (entry['mimetype'] != FOLDER, entry['name']))
                self.tell((NAME,), 'was put there by the job and is now %s' % own[0]['name'])
            elif own:
                return
            self.changed = write(folder, NAME, page(path, entries)) or self.changed
        except OSError as error:
            self.tell((*path, NAME), 'was not written: %s' % error.strerror)


def moved_away(folder: int, name: str) -> str:
    """Give something another name, and return that."""
    start, dot, end = name.partition('.')
    number = 1
    while True:
        new = '%s~%d%s%s' % (start, number, dot, end)
        try:
            os.stat(new, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
            return new
        number += 1


def write(folder: int, name: str, data: bytes) -> bool:
    """Write a file anew, in the place of whatever has its name. Return whether it is another than before.

    :raises OSError: the disk has a say in it.
    """
    with contextlib.suppress(OSError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size == len(data):
            with open(os.open(name, _FILE, dir_fd=folder), 'rb') as old:
                if old.read(len(data)) == data:
                    return False
    new = '.manifest-' + secrets.token_hex(16)
    try:
        with open(os.open(new, _NEW, 0o644, dir_fd=folder), 'wb') as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        try:
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            moved_away(folder, name)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise
    return True
