# SPDX-License-Identifier: Apache-2.0
"""Cover secrets in one file: in its place, or in a new one where it is packed."""
from __future__ import annotations

import os
from typing import IO, Callable

from ansible.module_utils.sanitize_output_masks import Masker, masked
from ansible.module_utils.sanitize_output_packed import START, Packer, TooLarge, TooLate, kind

__all__ = ['TooLarge', 'TooLate', 'mask_file']


def mask_file(folder: int, name: str, masker: Masker, late: Callable[[], bool], limit: int, aside: int,
              literal_only: bool = False) -> int:
    """Cover what *masker* finds in a file, and return how often that was. Without any, the file is not written to.

    :param folder: descriptor of the folder that it lies in.
    :param late: says when the time is over.
    :param limit: bytes that may come out of a packed file.
    :param aside: descriptor of a folder on the same disk, for a new file.
    :raises TooLate: the time is over; some secrets may be there still.
    :raises TooLarge: there is more in it than *limit*, or it cannot be packed anew.
    """
    count = 0
    with _opened(folder, name) as file:
        packed = kind(os.pread(file.fileno(), START, 0))
        if packed:
            looking = Packer(masker, late, limit, aside, literal_only)
            count = looking.file(file, None)
            if count:
                _pack_anew(file, folder, name, aside, Packer(masker, late, limit, aside, literal_only))
    # What is in the file beside that: comments, names, and what could not be unpacked.
    with _opened(folder, name) as file:
        if packed == 'gzip' and not (looking.broken and not count):
            return count
        status = os.fstat(file.fileno())
        here = _mask_here(file, masker, late, literal_only)
        if here:
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        return count + here


def _opened(folder: int, name: str) -> IO[bytes]:
    handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    return open(handle, 'r+b', buffering=0)


def _mask_here(file: IO[bytes], masker: Masker, late: Callable[[], bool], literal_only: bool) -> int:
    count = at = 0
    for piece, changed, found in masked(file.read, masker, literal_only):
        if late():
            raise TooLate
        if changed:
            os.pwrite(file.fileno(), piece, at)
        at += len(piece)
        count += found
    return count


def _pack_anew(file: IO[bytes], folder: int, name: str, aside: int, packer: Packer) -> None:
    """Put a new file in the place of a packed one, with all that could be read of it."""
    status = os.fstat(file.fileno())
    handle = os.open('packed', os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=aside)
    try:
        with open(handle, 'wb') as new:
            packer.file(file, new.write)
            new.flush()
            os.fchmod(handle, status.st_mode & 0o777)
            os.utime(handle, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace('packed', name, src_dir_fd=aside, dst_dir_fd=folder)
    except BaseException:
        os.unlink('packed', dir_fd=aside)
        raise
