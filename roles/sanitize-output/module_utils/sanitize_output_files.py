# SPDX-License-Identifier: Apache-2.0
"""Cover secrets in one file: in its place, or in a new one where it is compressed."""
from __future__ import annotations

import os
import zlib
from typing import IO, Callable, Iterator

from ansible.module_utils.sanitize_output_masks import CHUNK, Masker, masked

GZIP = b'\x1f\x8b\x08'
_WINDOW = 31     # zlib: a gzip header and checksum


class TooLate(Exception):
    """The time is over."""


class TooLarge(Exception):
    """What was packed is larger than it may be."""


class _Unpacked:
    """The content of a gzip file, all of its members.

    :ivar broken: after the end, whether there was something that could not be unpacked.
    """

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit
        self._unpack = zlib.decompressobj(_WINDOW)
        self._packed = b''
        self.broken = False

    def read(self, size: int) -> bytes:
        """Return some bytes, at most *size*; none at the end.

        :raises TooLarge: there are more than allowed.
        """
        while True:
            packed = self._packed or self._file.read(CHUNK)
            if self._unpack.eof:
                if not packed.strip(b'\0'):
                    self._packed = b''
                    if not packed:
                        return b''
                    continue
                self._unpack = zlib.decompressobj(_WINDOW)
            elif not packed:
                self.broken = True
                return b''
            try:
                data = self._unpack.decompress(packed, size)
            except zlib.error:
                self.broken = True
                return b''
            self._packed = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
            self._limit -= len(data)
            if self._limit < 0:
                raise TooLarge
            if data:
                return data


def mask_file(folder: int, name: str, masker: Masker, late: Callable[[], bool], limit: int, aside: int,
              literal_only: bool = False) -> int:
    """Cover what *masker* finds in a file, and return how often that was. Without any, the file is not written to.

    :param folder: descriptor of the folder that it lies in.
    :param late: says when the time is over.
    :param limit: bytes that may come out of a compressed file.
    :param aside: descriptor of a folder on the same disk, for a new file.
    :raises TooLate: the time is over; some secrets may be there still.
    :raises TooLarge: there is more in it than *limit*.
    """
    handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(handle, 'r+b', buffering=0) as file:
        status = os.fstat(handle)
        if os.pread(handle, len(GZIP), 0) == GZIP:
            count, broken = _count(file, masker, late, limit, literal_only)
            if count:
                _pack_anew(file, folder, name, aside, masker, limit, literal_only)
            if count or not broken:
                return count
            file.seek(0)
        count = _mask_here(file, masker, late, literal_only)
        if count:
            os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))
        return count


def _mask_here(file: IO[bytes], masker: Masker, late: Callable[[], bool], literal_only: bool) -> int:
    count = at = 0
    for piece, changed, found in _timed(file.read, masker, late, literal_only):
        if changed:
            os.pwrite(file.fileno(), piece, at)
        at += len(piece)
        count += found
    return count


def _count(file: IO[bytes], masker: Masker, late: Callable[[], bool], limit: int, literal_only: bool
           ) -> 'tuple[int, bool]':
    unpacked = _Unpacked(file, limit)
    count = sum(found for _, _, found in _timed(unpacked.read, masker, late, literal_only))
    return count, unpacked.broken


def _pack_anew(file: IO[bytes], folder: int, name: str, aside: int, masker: Masker, limit: int, literal_only: bool
               ) -> None:
    """Put a new file in the place of a compressed one, with all that could be read of it."""
    status = os.fstat(file.fileno())
    file.seek(0)
    pack = zlib.compressobj(6, zlib.DEFLATED, _WINDOW)
    handle = os.open('packed', os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=aside)
    with open(handle, 'wb') as new:
        for piece, _, _ in masked(_Unpacked(file, limit).read, masker, literal_only):
            new.write(pack.compress(piece))
        new.write(pack.flush())
        new.flush()
        os.fchmod(handle, status.st_mode & 0o777)
        os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace('packed', name, src_dir_fd=aside, dst_dir_fd=folder)


def _timed(read: Callable[[int], bytes], masker: Masker, late: Callable[[], bool], literal_only: bool
           ) -> Iterator['tuple[bytes, bool, int]']:
    for found in masked(read, masker, literal_only):
        if late():
            raise TooLate
        yield found
