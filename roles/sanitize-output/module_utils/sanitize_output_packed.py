# SPDX-License-Identifier: Apache-2.0
"""Look for secrets in what is packed: in gzip, tar and zip, and in these within each other."""
from __future__ import annotations

import os
import re
import secrets
import struct
import zipfile
import zlib
from typing import IO, Any, Callable, Optional

from ansible.module_utils.sanitize_output_masks import CHUNK, Masker, covered, masked

Read = Callable[[int], bytes]
Write = Optional[Callable[[bytes], Any]]

GZIP, ZIP, TAR = 'gzip', 'zip', 'tar'
#: bytes at the beginning of a file that say how it is packed
START = 512
_GZIP, _ZIP = b'\x1f\x8b\x08', (b'PK\x03\x04', b'PK\x05\x06')
_WINDOW = 31     # zlib: a gzip header and checksum
_DEEPEST = 8
_ENTRIES, _DIRECTORY = 65534, 32 << 20
_BLOCK = 512
_OCTAL = re.compile(rb'[ \0]*([0-7]{1,12})[ \0]*')
# What may be wrong with a packed file.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OverflowError)


class TooLate(Exception):
    """The time is over."""


class TooLarge(Exception):
    """What was packed is larger than it may be, or packed too often. The message says which."""


def kind(start: bytes) -> str:
    """Return how a file with this beginning is packed, '' when it is not."""
    if start.startswith(_GZIP):
        return GZIP
    if start.startswith(_ZIP):
        return ZIP
    return TAR if len(start) == _BLOCK and _checksum(start) == _number(start[148:156]) else ''


def _number(field: bytes) -> int:
    found = _OCTAL.fullmatch(field)
    return int(found.group(1), 8) if found else -1


def _checksum(header: bytes) -> int:
    return sum(header[:148]) + 8 * 32 + sum(header[156:])


class Unpacked:
    """The content of a gzip file, all of its members.

    :ivar broken: after the end, whether there was something that could not be unpacked.
    """

    def __init__(self, source: Read, left: Callable[[int], None]) -> None:
        self._source, self._left = source, left
        self._unpack = zlib.decompressobj(_WINDOW)
        self._packed = b''
        self.broken = False

    def read(self, size: int) -> bytes:
        """Return some bytes, at most *size*; none at the end.

        :raises TooLarge: there are more than allowed.
        """
        while True:
            packed = self._packed or self._source(CHUNK)
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
            self._left(len(data))
            if data:
                return data


class Packer:
    """Reads a file, however it is packed, and writes it anew without its secrets.

    :param late: says when the time is over.
    :param limit: bytes that may come out of all that is packed in it.
    :param aside: descriptor of a folder for what does not go through in one stream.
    :ivar broken: whether the outermost gzip could not be unpacked to its end.
    """

    def __init__(self, masker: Masker, late: Callable[[], bool], limit: int, aside: int, literal_only: bool) -> None:
        self._masker, self._late, self._limit, self._literal_only = masker, late, limit, literal_only
        self._left, self._aside = limit, aside
        self._found = 0
        self._file: Optional[IO[bytes]] = None
        self.broken = False

    def file(self, file: IO[bytes], write: Write) -> int:
        """Do the same with a file that is read from its beginning."""
        file.seek(0)
        self._file = file
        return self.cover(file.read, write)

    def cover(self, read: Read, write: Write, depth: int = 0) -> int:
        """Return how many secrets are in a stream; *write*, if given, gets it without them.

        :raises TooLate: the time is over.
        :raises TooLarge: more than *limit* is packed in it, or in too many layers.
        """
        start = _exactly(read, START)
        packed = kind(start)
        if packed and depth >= _DEEPEST:
            raise TooLarge('is packed more than %d times' % _DEEPEST)
        one = {GZIP: self._gzip, ZIP: self._zip, TAR: self._tar}.get(packed)
        source = _Again(start, read).read
        return one(source, write, depth) if one else self._plain(source, write)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge('unpacks to more than %d bytes' % self._limit)
        if self._late():
            raise TooLate

    def _plain(self, read: Read, write: Write) -> int:
        count = 0
        for piece, _, found in masked(read, self._masker, self._literal_only):
            if self._late():
                raise TooLate
            count += found
            self._found += found
            if write:
                write(piece)
        return count

    def _gzip(self, read: Read, write: Write, depth: int) -> int:
        unpacked = Unpacked(read, self._take)
        if not write:
            count = self.cover(unpacked.read, None, depth + 1)
        else:
            put, pack = write, zlib.compressobj(6, zlib.DEFLATED, _WINDOW)
            count = self.cover(unpacked.read, lambda data: put(pack.compress(data)), depth + 1)
            put(pack.flush())
        if not depth:
            self.broken = unpacked.broken
        return count

    def _tar(self, read: Read, write: Write, depth: int) -> int:
        count = 0
        while True:
            header = _exactly(read, _BLOCK)
            size = _number(header[124:136]) if len(header) == _BLOCK else -1
            if size < 0 or _checksum(header) != _number(header[148:156]):
                return count + self._plain(_Again(header, read).read, write)
            spans = self._masker.spans(header, _BLOCK, self._literal_only)
            count += len(spans)
            header = _summed(covered(header, spans)) if spans else header
            part = _Part(read, size)
            inner = self.cover if header[156:157] in b'0\0' + b'7' else self._whole
            if write:
                with self._scratch() as file:
                    count += inner(part.read, file.write, depth + 1)
                    new = file.tell()
                    file.seek(0)
                    write(header if new == size else _summed(b'%s%011o\0%s' % (header[:124], new, header[136:])))
                    _copy(file.read, write)
                    write(b'\0' * (-new % _BLOCK))
            else:
                count += inner(part.read, None, depth + 1)
            part.skip()
            _exactly(read, -size % _BLOCK)

    def _whole(self, read: Read, write: Write, depth: int) -> int:
        return self._plain(read, write)

    def _zip(self, read: Read, write: Write, depth: int) -> int:
        """A zip file has its directory at its end, so it is laid aside. What cannot be unpacked stays as it is."""
        if not depth and self._file:
            return self._directory(self._file, write, depth)
        with self._scratch() as file:
            _copy(lambda size: self._timed(read, size), file.write)
            return self._directory(file, write, depth)

    def _directory(self, file: IO[bytes], write: Write, depth: int) -> int:
        try:
            _check_directory(file)
            source = zipfile.ZipFile(file)
        except _BROKEN:
            file.seek(0)
            return self._plain(file.read, write)
        with source:
            if not write:
                return sum(self._member(source, info, None, depth) for info in source.infolist())
            with self._scratch() as new:
                with zipfile.ZipFile(new, 'w') as target:
                    target.comment = source.comment
                    count = sum(self._member(source, info, target, depth) for info in source.infolist())
                new.seek(0)
                _copy(new.read, write)
                return count

    def _member(self, source: zipfile.ZipFile, info: zipfile.ZipInfo, target: Optional[zipfile.ZipFile], depth: int
                ) -> int:
        known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1
        before = self._found
        try:
            if not known:
                raise ValueError('packed in another way')
            opened: Any = source.open(info)
            opened._expected_crc = None     # of a damaged one, all is looked at as well
            with opened as member:
                def read(size: int) -> bytes:
                    data = bytes(member.read(size))
                    self._take(len(data))
                    return data
                if not target:
                    return self.cover(read, None, depth + 1)
                with target.open(_like(info), 'w', force_zip64=info.file_size >= 1 << 30) as new:
                    return self.cover(read, new.write, depth + 1)
        except _BROKEN as error:
            if target or self._found > before:
                raise TooLarge('has secrets, and cannot be packed anew') from error
            return 0

    def _timed(self, read: Read, size: int) -> bytes:
        if self._late():
            raise TooLate
        return read(size)

    def _scratch(self) -> IO[bytes]:
        """Return a file without a name."""
        name = secrets.token_hex(16)
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                         dir_fd=self._aside)
        os.unlink(name, dir_fd=self._aside)
        return open(handle, 'w+b')


class _Again:
    """A stream whose beginning was read already."""

    def __init__(self, start: bytes, read: Read) -> None:
        self._start, self._read = start, read

    def read(self, size: int) -> bytes:
        data, self._start = self._start[:size], self._start[size:]
        return data or self._read(size)


class _Part:
    """The next so many bytes of a stream."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._left = read, size

    def read(self, size: int) -> bytes:
        data = self._read(min(size, self._left)) if self._left else b''
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Go to the end."""
        while self.read(CHUNK):
            pass


def _exactly(read: Read, size: int) -> bytes:
    """Return so many bytes, fewer only at the end."""
    data = b''
    while len(data) < size:
        more = read(size - len(data))
        if not more:
            break
        data += more
    return data


def _copy(read: Read, write: Callable[[bytes], Any]) -> None:
    while True:
        data = read(CHUNK)
        if not data:
            return
        write(data)


def _summed(header: bytes) -> bytes:
    """Return a header of tar with the sum that it should have."""
    return b'%s%06o\0 %s' % (header[:148], _checksum(header), header[156:])


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a zip file whose directory would fill the memory.

    :raises ValueError: it is so large, or there is none.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65557))
    end = file.read()
    at = end.rfind(b'PK\x05\x06')
    file.seek(0)
    if at < 0 or len(end) < at + 22:
        raise ValueError('no directory')
    if (int.from_bytes(end[at + 10:at + 12], 'little') > _ENTRIES
            or int.from_bytes(end[at + 12:at + 16], 'little') > _DIRECTORY):
        raise TooLarge('has a directory of more than %d files' % _ENTRIES)


def _like(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo(info.filename, info.date_time)
    new.compress_type, new.comment, new.create_system = info.compress_type, info.comment, info.create_system
    new.external_attr, new.internal_attr = info.external_attr, info.internal_attr
    return new
