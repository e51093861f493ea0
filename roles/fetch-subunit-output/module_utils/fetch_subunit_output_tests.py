# SPDX-License-Identifier: Apache-2.0
"""What became of the tests of a run, in bounded memory however many there are and whatever they print."""
from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ansible.module_utils.fetch_subunit_output_events import Event

FINAL = ('success', 'uxsuccess', 'skip', 'fail', 'xfail')
UNFINISHED = 'unfinished'
#: outcomes that make a run fail
BAD = ('fail', UNFINISHED, 'uxsuccess')
MAX_TESTS, MAX_RUNNING = 200_000, 2_000
MAX_NAME = 1000
# Bytes of all names, and of all that tests printed. A page of it is not much larger.
NAMES_ROOM, TEXT_ROOM = 64 << 20, 8 << 20
MAX_ATTACHMENTS, HEAD, TAIL = 20, 16 << 10, 48 << 10
_OBJECT = 500


class Room:
    """What is left of an allowance, in bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> bool:
        """Take that much. Return False, and take nothing, when it is not there."""
        if size > self.left:
            return False
        self.left -= size
        return True


class Attachment:
    """The beginning and the end of what a test printed under one name."""

    def __init__(self, mime: str) -> None:
        self.mime = mime
        self.size = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes, room: Room) -> None:
        """Keep *data* as far as there is room."""
        self.size += len(data)
        if not self.is_text():
            return
        first, data = data[:HEAD - len(self._head)], data[max(0, HEAD - len(self._head)):][-TAIL:]
        if room.take(len(first)):
            self._head += first
        if room.take(len(data)):
            self._tail += data
        drop = max(0, len(self._tail) - TAIL)
        room.left += drop
        del self._tail[:drop]

    def is_text(self) -> bool:
        """Whether a person can read it."""
        return self.mime.startswith('text/') or self.mime in ('', 'application/json')

    def kept(self) -> int:
        """Return how many bytes are kept."""
        return len(self._head) + len(self._tail)

    def text(self) -> str:
        """Return it for a reader."""
        if not self.is_text():
            return '%s, %d bytes' % (self.mime[:MAX_NAME], self.size)
        lost = self.size - self.kept()
        gap = '\n[%d bytes are left out here]\n' % lost if lost else ''
        return self._head.decode('utf-8', 'replace') + gap + self._tail.decode('utf-8', 'replace')


class Test(NamedTuple):
    """A test that came to something: its *status* is one of ``FINAL`` or ``UNFINISHED``, *seconds* None if unknown."""

    name: str
    status: str
    seconds: Optional[float]
    attachments: Tuple[Tuple[str, Attachment], ...] = ()

    def texts(self) -> Iterator[Tuple[str, str]]:
        """Yield name and text of each attachment that says something."""
        for name, attachment in self.attachments:
            if attachment.size:
                yield name, attachment.text()

    def reason(self) -> str:
        """Return why it was skipped, as far as that was said."""
        return next((text for name, text in self.texts() if name == 'reason'), '').strip()


class _Running:
    """A test of which the outcome is not known yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.begin: Optional[int] = None
        self.started = False
        self.attachments: Dict[str, Attachment] = {}


class Tests:
    """Learns from events what became of tests.

    :ivar counts: status -> number of tests, all of them.
    :ivar listed: the tests, as many as are kept.
    :ivar begin: when the first event was, in nanoseconds since 1970; None when unknown.
    :ivar end: the same for the last.
    :ivar left_out: how often there was no room for what a test printed.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys((*FINAL, UNFINISHED), 0)
        self.listed: List[Test] = []
        self.begin: Optional[int] = None
        self.end: Optional[int] = None
        self.left_out = 0
        self._running: Dict[Tuple[str, str], _Running] = {}
        self._names, self._room = Room(NAMES_ROOM), Room(TEXT_ROOM)

    def add(self, event: Event) -> None:
        """Learn from one event."""
        if event.time is not None:
            self.begin = event.time if self.begin is None else min(self.begin, event.time)
            self.end = event.time if self.end is None else max(self.end, event.time)
        if not event.test or event.status == 'exists':
            return
        key = (event.test[:MAX_NAME], event.route[:MAX_NAME])
        test = self._running.get(key)
        if test is None:
            if len(self._running) >= MAX_RUNNING:
                self._finish(next(iter(self._running)), UNFINISHED, None)
            test = self._running[key] = _Running(key[0])
        if event.status == 'inprogress':
            test.started = True
            test.begin = event.time
        if event.data:
            self._attach(test, event)
        if event.status in FINAL:
            self._finish(key, event.status, event.time)

    def done(self) -> None:
        """Count what did not come to an end. What was never started is no test."""
        for key in list(self._running):
            self._finish(key, UNFINISHED, None)
        self.listed.sort(key=lambda test: test.name)

    def ran(self) -> int:
        """Return how many tests were run: all but those that were skipped."""
        return sum(self.counts.values()) - self.counts['skip']

    def seconds(self) -> Optional[float]:
        """Return how long it took from the first to the last event."""
        return None if self.begin is None or self.end is None else (self.end - self.begin) / 1e9

    def _attach(self, test: _Running, event: Event) -> None:
        name, mime = event.name[:MAX_NAME], event.mime[:MAX_NAME]
        attachment = test.attachments.get(name)
        if attachment is None:
            if len(test.attachments) >= MAX_ATTACHMENTS or not self._room.take(_OBJECT + len(name) + len(mime)):
                self.left_out += 1
                return
            attachment = test.attachments[name] = Attachment(mime)
        attachment.add(event.data, self._room)

    def _finish(self, key: Tuple[str, str], status: str, time: Optional[int]) -> None:
        test = self._running.pop(key)
        if status == UNFINISHED and not test.started:
            self._forget(test)
            return
        self.counts[status] += 1
        if status in ('success', 'xfail'):
            self._forget(test)
        if len(self.listed) < MAX_TESTS and self._names.take(len(test.name)):
            known = time is not None and test.begin is not None
            seconds = max(0.0, (time - test.begin) / 1e9) if known else None   # type: ignore[operator]
            self.listed.append(Test(test.name, status, seconds, tuple(test.attachments.items())))
        else:
            self._forget(test)

    def _forget(self, test: _Running) -> None:
        """Give the room back that a test has."""
        self._room.left += sum(attachment.kept() + _OBJECT + len(name) + len(attachment.mime)
                               for name, attachment in test.attachments.items())
        test.attachments = {}
