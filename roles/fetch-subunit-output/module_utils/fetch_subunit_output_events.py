# SPDX-License-Identifier: Apache-2.0
"""What a subunit stream says, event by event, in either version of the protocol, whole or damaged.

Streams are read in pieces: no packet, line or attachment is ever in memory as a whole, unless the protocol bounds it.
"""
from __future__ import annotations

import datetime
import re
import struct
import zlib
from typing import IO, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

STATUSES = ('', 'exists', 'inprogress', 'success', 'uxsuccess', 'skip', 'fail', 'xfail')
# Lengths that the protocol's numbers can have, and what is read at a time where it sets no limit.
_LONGEST_PACKET, PIECE = (1 << 22) - 1, 1 << 16
# Places that may look like a packet and be none, and the bytes that are read for nothing there.
_MOST_PLACES, _MOST_WASTE = 200_000, 512 << 20
_SIGN, _VERSION, _VERSION_BITS, _RESERVED = 0xb3, 0x2000, 0xf000, 0x0008
_ID, _ROUTE, _TIME, _RUNNABLE, _TAGS, _CONTENT, _MIME, _EOF = (
    0x0800, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010)
_OUTCOMES = {b'success': 'success', b'successful': 'success', b'failure': 'fail', b'error': 'fail', b'skip': 'skip',
             b'xfail': 'xfail', b'uxsuccess': 'uxsuccess'}
_COMMAND = re.compile(rb'(test|testing|success|successful|failure|error|skip|xfail|uxsuccess|time|tags|progress): (.+)')
_CLOCK = re.compile(rb'(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z?$')
_EPOCH = datetime.datetime(1970, 1, 1)


class Event(NamedTuple):
    """One step of a test, or a piece of an attachment.

    :ivar test: the test's name; empty for what belongs to none.
    :ivar status: one of ``STATUSES``; empty when the event says nothing of it.
    :ivar time: nanoseconds since 1970, None when unknown.
    """

    test: str
    status: str = ''
    time: Optional[int] = None
    name: str = ''
    mime: str = ''
    data: bytes = b''
    tags: FrozenSet[str] = frozenset()
    route: str = ''


class Damaged(Exception):
    """Bytes that are no packet."""


class Reader:
    """Reads a stream of either version.

    :param stream: an open regular file.
    :ivar damage: what was no subunit, in bytes.
    :ivar cut: whether the end is missing.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.damage = 0
        self.cut = False

    def packets(self) -> Iterator[Tuple[Event, bytes]]:
        """Yield each event, and the packet of version 2 that says the same."""
        first = self._stream.read(1)
        self._stream.seek(0)
        if first and first[0] != _SIGN and self._is_text():
            for event in self._lines():
                yield event, packet(event)
        else:
            yield from self._binary()

    def _is_text(self) -> bool:
        """Whether the stream is of version 1: whether one of its first lines says so."""
        lines = [self._line() for _ in range(1000)]
        self._stream.seek(0)
        self.damage, self.cut = 0, False
        return any(_COMMAND.match(line) for line in lines) and not any(line[:1] == b'\xb3' for line in lines)

    # Version 2

    def _binary(self) -> Iterator[Tuple[Event, bytes]]:
        places = waste = 0
        while True:
            start = self._stream.tell()
            head = self._stream.read(5)
            if not head:
                return
            try:
                event, whole = self._packet(head)
            except Damaged:
                places, waste = places + 1, waste + self._stream.tell() - start
                self._stream.seek(start + 1)
                if places > _MOST_PLACES or waste > _MOST_WASTE or not self._next_sign():
                    self.damage += max(0, self._size() - start)
                    return
                self.damage += self._stream.tell() - start
                continue
            yield event, whole

    def _size(self) -> int:
        return self._stream.seek(0, 2)

    def _next_sign(self) -> bool:
        """Go to the next byte that a packet may begin with. Return whether there is one."""
        while True:
            start = self._stream.tell()
            piece = self._stream.read(PIECE)
            if not piece:
                return False
            found = piece.find(_SIGN)
            if found >= 0:
                self._stream.seek(start + found)
                return True

    def _packet(self, head: bytes) -> Tuple[Event, bytes]:
        """Return the packet that begins with *head*.

        :raises Damaged: it is none.
        """
        if len(head) < 5 or head[0] != _SIGN:
            self.cut = self.cut or head[0] == _SIGN
            raise Damaged
        flags = struct.unpack('>H', head[1:3])[0]
        if flags & _VERSION_BITS != _VERSION or flags & _RESERVED:
            raise Damaged
        # A length may take three bytes, the third of which is not read yet.
        whole = head + self._stream.read(1)
        length, start = number(whole, 3)
        if not len(whole) <= length <= _LONGEST_PACKET:
            raise Damaged
        whole += self._stream.read(length - len(whole))
        if len(whole) < length:
            self.cut = True
            raise Damaged
        if zlib.crc32(whole[:-4]) != struct.unpack('>I', whole[-4:])[0]:
            raise Damaged
        return unpack(flags, memoryview(whole)[:-4], start), whole

    # Version 1

    def _line(self) -> bytes:
        """Return the next line without its end, or as much of it as is of use; what is empty is the end."""
        line = self._stream.readline(PIECE)
        if len(line) == PIECE and not line.endswith(b'\n'):
            self.damage += PIECE
            rest = line
            while rest and not rest.endswith(b'\n'):
                rest = self._stream.readline(PIECE)
                self.damage += len(rest)
            return b'\n'
        self.cut = self.cut or (bool(line) and not line.endswith(b'\n'))
        return line

    def _lines(self) -> Iterator[Event]:
        now: Optional[int] = None
        tags: FrozenSet[str] = frozenset()
        running = b''
        while True:
            line = self._line()
            if not line:
                return
            command = _COMMAND.match(line.rstrip(b'\r\n'))
            if not command:
                self.damage += len(line)
                continue
            word, rest = command.groups()
            if word == b'time':
                now = clock(rest)
            elif word == b'tags':
                words = [text(one) for one in rest.split()[:100]]
                gone = {one[1:] for one in words if one.startswith('-')}
                tags = frozenset((tags | {one for one in words if not one.startswith('-')}) - gone)
            elif word in (b'test', b'testing') and line.endswith(b'\n'):
                running = rest
                yield Event(text(rest), 'inprogress', now)
            elif word in _OUTCOMES and running and rest in (running, running + b' [', running + b' [ multipart'):
                yield from self._details(text(running), rest[len(running):], _OUTCOMES[word])
                yield Event(text(running), _OUTCOMES[word], now, tags=tags)
                running = b''
            else:     # progress, or what a program printed
                self.damage += len(line) if word != b'progress' else 0

    def _details(self, test: str, kind: bytes, status: str) -> Iterator[Event]:
        """Yield what comes with an outcome. It may be cut off; the outcome holds all the same."""
        if kind == b' [':
            label, mime = ('reason', 'text/plain') if status == 'skip' else ('traceback', 'text/x-traceback')
            for piece in self._bracket():
                yield Event(test, name=label, mime=mime, data=piece)
        elif kind:
            yield from self._multipart(test)

    def _bracket(self) -> Iterator[bytes]:
        new = True
        while True:
            piece = self._stream.readline(PIECE)
            if not piece:
                self.cut = True
            if not piece or (new and piece == b']\n'):
                return
            yield piece[1:] if new and piece.startswith(b' ]') else piece
            new = piece.endswith(b'\n')

    def _multipart(self, test: str) -> Iterator[Event]:
        while True:
            mime = self._line()
            if mime == b']\n':
                return
            name = self._line()
            if not name.endswith(b'\n') or not mime.startswith(b'Content-Type: '):
                self.cut = True
                return
            label, kind = text(name.strip()), text(mime[len(b'Content-Type: '):].strip())
            while True:
                size = re.fullmatch(rb'([0-9A-Fa-f]{1,8})\r?\n', self._line())
                left = int(size.group(1), 16) if size else -1
                if left < 0:
                    self.cut = True
                    return
                if left == 0:
                    break
                while left:
                    piece = self._stream.read(min(left, PIECE))
                    if not piece:
                        self.cut = True
                        return
                    yield Event(test, name=label, mime=kind, data=piece)
                    left -= len(piece)


def text(data: bytes) -> str:
    """Return bytes as text, whatever they are."""
    return data.decode('utf-8', 'replace')


def clock(given: bytes) -> Optional[int]:
    """Return what a time of version 1 is in nanoseconds since 1970, None for what is no time."""
    found = _CLOCK.match(given)
    if not found:
        return None
    try:
        day = datetime.datetime(*(int(part) for part in found.groups()[:6]))  # type: ignore[arg-type]
    except ValueError:
        return None
    return int((day - _EPOCH).total_seconds()) * 10 ** 9 + int((found.group(7) or b'0').ljust(9, b'0'))


def number(data: bytes, start: int) -> Tuple[int, int]:
    """Return the number that begins at *start*, and where it ends.

    :raises Damaged: it is not there.
    """
    if start >= len(data):
        raise Damaged
    size = data[start] >> 6
    if start + size >= len(data):
        raise Damaged
    value = data[start] & 0x3f
    for byte in data[start + 1:start + 1 + size]:
        value = value << 8 | byte
    return value, start + 1 + size


def _string(data: memoryview, start: int) -> Tuple[str, int]:
    length, start = number(data, start)    # type: ignore[arg-type]
    if start + length > len(data):
        raise Damaged
    return text(bytes(data[start:start + length])), start + length


def unpack(flags: int, data: memoryview, start: int) -> Event:
    """Return what a packet says whose fields begin at *start*.

    :raises Damaged: the fields are not as they should be.
    """
    test = name = mime = route = ''
    time: Optional[int] = None
    tags: List[str] = []
    content = b''
    if flags & _TIME:
        if start + 4 > len(data):
            raise Damaged
        seconds = struct.unpack('>I', data[start:start + 4])[0]
        nanoseconds, start = number(data, start + 4)    # type: ignore[arg-type]
        time = seconds * 10 ** 9 + nanoseconds
    if flags & _ID:
        test, start = _string(data, start)
    if flags & _TAGS:
        count, start = number(data, start)    # type: ignore[arg-type]
        for _ in range(count):
            tag, start = _string(data, start)
            tags.append(tag)
    if flags & _MIME:
        mime, start = _string(data, start)
    if flags & _CONTENT:
        name, start = _string(data, start)
        length, start = number(data, start)    # type: ignore[arg-type]
        if start + length > len(data):
            raise Damaged
        content, start = bytes(data[start:start + length]), start + length
    if flags & _ROUTE:
        route, start = _string(data, start)
    return Event(test, STATUSES[flags & 7], time, name, mime, content, frozenset(tags), route)


def _packed(value: int) -> bytes:
    for size, top in ((1, 0), (2, 0x4000), (3, 0x800000), (4, 0xc0000000)):
        if value < 1 << (8 * size - 2):
            return (value | top).to_bytes(size, 'big')
    raise ValueError('%d is too large' % value)


def _chars(given: str) -> bytes:
    # No packet has a zero byte in a text.
    data = given.replace('\0', '').encode('utf-8', 'replace')
    return _packed(len(data)) + data


def packet(event: Event) -> bytes:
    """Return the packet of an event."""
    flags = _VERSION | STATUSES.index(event.status) | (_RUNNABLE if event.test and event.status != 'exists' else 0)
    fields = b''
    if event.time is not None and 0 <= event.time < (1 << 32) * 10 ** 9:
        flags |= _TIME
        fields += struct.pack('>I', event.time // 10 ** 9) + _packed(event.time % 10 ** 9)
    if event.test:
        flags |= _ID
        fields += _chars(event.test)
    if event.tags:
        flags |= _TAGS
        fields += _packed(len(event.tags)) + b''.join(_chars(tag) for tag in sorted(event.tags))
    if event.mime:
        flags |= _MIME
        fields += _chars(event.mime)
    if event.name:
        flags |= _CONTENT
        fields += _chars(event.name) + _packed(len(event.data)) + event.data
    for size in (1, 2, 3):
        length = 3 + size + len(fields) + 4
        if length < 1 << (8 * size - 2):
            break
    whole = struct.pack('>BH', _SIGN, flags) + _packed(length) + fields
    return whole + struct.pack('>I', zlib.crc32(whole))
