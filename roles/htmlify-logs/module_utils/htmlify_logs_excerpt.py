# SPDX-License-Identifier: Apache-2.0
"""The beginning and the end of a text of any size, in bounded memory."""
from __future__ import annotations

import collections
from typing import Callable, Deque, List, NamedTuple

CHUNK = 1 << 20
#: of a longer line, so many bytes are shown
LONGEST = 10000
CUT = ' … (cut here: the file has all of this line)'.encode()


class Excerpt(NamedTuple):
    """Lines of a text: the *first* ones; the *last* ones, of which the first has the number *resumes*.

    *last* is empty where the text is shown whole, and where its end is within one line. *bytes* is its size.
    """

    first: List[bytes]
    last: List[bytes]
    resumes: int
    bytes: int

    @property
    def whole(self) -> bool:
        """Whether no line is missing."""
        return not self.resumes


def excerpt(read: Callable[[int], bytes], most_bytes: int, most_lines: int) -> Excerpt:
    """Return the beginning and the end of what *read* gives.

    :param read: returns at most so many bytes, none at the end.
    :param most_bytes: about what is kept, half of it from each end.
    :param most_lines: of that, no more lines.
    """
    half, lines = max(1, most_bytes // 2), max(1, most_lines // 2)
    head = _fill(read, half)
    size = len(head)
    cut = _start(head, lines)           # where the first ones end
    broken = 0 < cut == size == half and not head.endswith(b'\n')
    if broken:                          # within a line, which is cut there if it is the only one
        cut = head.rfind(b'\n') + 1
        broken = not cut
    first, rest = (head, b'') if broken else (head[:cut], head[cut:])
    number = first.count(b'\n') + 1     # of the line that comes next
    kept: Deque[bytes] = collections.deque([rest])
    length, dropped = len(rest), broken
    while True:
        data = read(CHUNK)
        if not data:
            break
        size += len(data)
        kept.append(data)
        length += len(data)
        while length - len(kept[0]) >= half:
            gone = kept.popleft()
            length -= len(gone)
            number += gone.count(b'\n')
            dropped = dropped or bool(gone)
    last = b''.join(kept)
    kept.clear()
    if broken and size == half:         # after all, that was the end of it
        return Excerpt(_split(first), [], 0, size)
    if dropped:                         # its first line began in what is gone
        start = last.find(b'\n') + 1
        last = last[start:] if start else b''
        number += 1
    start = _last(last, lines)
    if not dropped and not start:
        return Excerpt(_split(first) + _split(last), [], 0, size)
    return Excerpt(_split(first), _split(last[start:]), number + last.count(b'\n', 0, start), size)


def _start(data: bytes, lines: int) -> int:
    """Return where the first *lines* lines end."""
    at = 0
    for _ in range(lines):
        at = data.find(b'\n', at) + 1
        if not at:
            return len(data)
    return at


def _last(data: bytes, lines: int) -> int:
    """Return where the last *lines* lines begin."""
    at = len(data) - data.endswith(b'\n')
    for _ in range(lines):
        at = data.rfind(b'\n', 0, at)
        if at < 0:
            return 0
    return at + 1


def _split(data: bytes) -> List[bytes]:
    """Return the lines of *data*, none too long."""
    lines = data.split(b'\n')
    if not lines[-1]:
        lines.pop()
    return [line if len(line) <= LONGEST else line[:LONGEST] + CUT for line in lines]


def _fill(read: Callable[[int], bytes], size: int) -> bytes:
    parts, missing = [], size
    while missing:
        data = read(min(CHUNK, missing))
        if not data:
            break
        parts.append(data)
        missing -= len(data)
    return b''.join(parts)
