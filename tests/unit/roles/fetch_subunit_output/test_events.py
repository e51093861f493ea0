# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import io
import random
import tempfile
import tracemalloc
import unittest
from typing import Any

import subunit
import testtools
from subunit.v2 import ByteStreamToStreamResult, StreamResultToBytes

from tests.unit.roles import module_utils

events: Any = module_utils('fetch_subunit_output_events')
Event: Any = events.Event

OLD = b'''time: 2026-01-02 03:04:05.000006Z
tags: worker-0 slow
test: a.T.test_ok
time: 2026-01-02 03:04:06Z
successful: a.T.test_ok [ multipart
Content-Type: text/plain;charset=utf8
stdout
6\r
hello
3\r
you0\r
]
tags: -slow
test: a.T.test_fail
failure: a.T.test_fail [
Traceback
 ]
it's
]
test: a.T.test_skip
skip: a.T.test_skip [
no network
]
progress: +1
test: a.T.test_ux
uxsuccess: a.T.test_ux
test: a.T.test_xf
xfail: a.T.test_xf
'''


def read(data: bytes) -> tuple[list[Any], Any]:
    reader = events.Reader(io.BytesIO(data))
    return [event for event, _ in reader.packets()], reader


def transcoded(data: bytes) -> bytes:
    return b''.join(packet for _, packet in events.Reader(io.BytesIO(data)).packets())


def told(data: bytes) -> list[Any]:
    """What the library of subunit says of a stream of version 2."""
    found: list[Any] = []

    def tell(test: dict[str, Any]) -> None:
        details = {name: b''.join(content.iter_bytes()) for name, content in test['details'].items()}
        found.append((test['id'], test['status'], sorted(test['tags']), test['timestamps'], details))

    result = testtools.StreamToDict(tell)
    result.startTestRun()
    ByteStreamToStreamResult(io.BytesIO(data)).run(result)
    result.stopTestRun()
    return sorted(found, key=str)


def by_library(old: bytes) -> bytes:
    """A stream of version 1 in version 2, as stestr itself does it."""
    out = io.BytesIO()
    stream = testtools.ExtendedToStreamDecorator(StreamResultToBytes(out))
    stream.startTestRun()
    subunit.ProtocolTestCase(io.BytesIO(old)).run(stream)
    stream.stopTestRun()
    return out.getvalue()


def new() -> bytes:
    out = io.BytesIO()
    stream = StreamResultToBytes(out)
    begin = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    stream.status('a.T.b', 'inprogress', timestamp=begin, route_code='1/2')
    stream.status('a.T.b', file_name='out', file_bytes=b'x' * 70_000, mime_type='text/plain', route_code='1/2')
    stream.status('a.T.b', 'fail', test_tags={'slow'}, timestamp=begin.replace(microsecond=5), route_code='1/2')
    stream.status(file_name='stderr', file_bytes=b'of no test', eof=True)
    stream.status('a.T.c', 'exists')
    return out.getvalue()


class TestVersionOne(unittest.TestCase):
    def test_the_same_as_the_library_says(self) -> None:
        # The library has one attachment where a program wrote one in pieces; so have we.
        self.assertEqual(told(transcoded(OLD)), told(by_library(OLD)))
        self.assertEqual(len(told(transcoded(OLD))), 5)

    def test_what_a_program_printed_is_no_outcome(self) -> None:
        found, reader = read(b'test: a\nerror: b\nsuccess: something else\nhm\nsuccess: a\n')
        self.assertEqual([(event.test, event.status) for event in found], [('a', 'inprogress'), ('a', 'success')])
        self.assertEqual(reader.damage, len(b'error: b\nsuccess: something else\nhm\n'))

    def test_cut_off_anywhere(self) -> None:
        whole = len(read(OLD)[0])
        for size in range(len(OLD)):
            found, reader = read(OLD[:size])
            self.assertLessEqual(len(found), whole, size)
            self.assertEqual(found[:1], read(OLD)[0][:len(found[:1])])
        found, reader = read(OLD[:OLD.index(b'Traceback') + 3])
        self.assertEqual((found[-1].test, found[-1].status, found[-2].data), ('a.T.test_fail', 'fail', b'Tra'))
        self.assertTrue(reader.cut)
        self.assertFalse(read(OLD)[1].cut)

    def test_times(self) -> None:
        for given, expected in ((b'1970-01-01 00:00:01.5Z', 1_500_000_000), (b'1970-01-01 00:00:00Z', 0),
                                (b'1970-13-01 00:00:00Z', None), (b'now', None)):
            self.assertEqual(events.clock(given), expected, given)


class TestVersionTwo(unittest.TestCase):
    def test_a_whole_stream_stays_as_it_is(self) -> None:
        found, reader = read(new())
        self.assertEqual(transcoded(new()), new())
        self.assertEqual((reader.damage, reader.cut), (0, False))
        self.assertEqual([event.status for event in found], ['inprogress', '', 'fail', '', 'exists'])
        self.assertEqual((found[0].route, found[1].name, len(found[1].data), found[2].tags, found[2].time),
                         ('1/2', 'out', 70_000, frozenset(['slow']), 1_767_312_000_000_005_000))

    def test_our_packets_are_those_of_the_library(self) -> None:
        for size in (0, 40, 50, 60, 16_300, 16_370, 16_384, 65_536):
            out = io.BytesIO()
            StreamResultToBytes(out).status('n', file_name='o', file_bytes=b'x' * size, mime_type='t')
            self.assertEqual(events.packet(Event('n', name='o', mime='t', data=b'x' * size)), out.getvalue(), size)

    def test_cut_off_anywhere(self) -> None:
        data = new()[:200]
        for size in range(1, len(data)):
            _, reader = read(data[:size])
            kept = transcoded(data[:size])
            self.assertTrue(data.startswith(kept), size)
            self.assertEqual(reader.damage, size - len(kept), size)

    def test_what_is_no_subunit_is_left_out(self) -> None:
        noise = b'printed \xb3\x2b\x02 by a \xb3 program\n' * 3
        for data in (noise + new(), new() + noise, new() + noise + new()):
            with self.subTest(data[:20]):
                self.assertEqual(transcoded(data), new() * (2 if data.count(b'of no test') == 2 else 1))
                self.assertEqual(read(data)[1].damage, len(noise))

    def test_one_wrong_byte_costs_one_packet(self) -> None:
        data = bytearray(new())
        data[10] ^= 1
        self.assertEqual(len(read(bytes(data))[0]), 4)

    def test_noise(self) -> None:
        chance = random.Random(7)
        known = set(read(new())[0])
        for _ in range(200):
            for whole in (OLD, new()[:300] + new()):
                data = bytearray(whole)
                for _ in range(chance.randrange(1, 30)):
                    data[chance.randrange(len(data))] = chance.choice((0xb3, 0x2b, 0, 255, 10, 91))
                self.assertNotIn('subunit.parser', [test for test, *_ in told(transcoded(bytes(data)))])
            self.assertLessEqual(set(read(bytes(data))[0]), known)

    def test_numbers(self) -> None:
        for value in (0, 63, 64, 16383, 16384, (1 << 22) - 1, 1 << 22, (1 << 30) - 1):
            data = events._packed(value)
            self.assertEqual(events.number(data, 0), (value, len(data)))
            with self.assertRaises(events.Damaged):
                events.number(data[:-1], 0)


class TestBounds(unittest.TestCase):
    def peak(self, *pieces: bytes) -> int:
        with tempfile.TemporaryFile() as stream:
            for piece in pieces:
                stream.write(piece)
            stream.seek(0)
            tracemalloc.start()
            try:
                for _ in events.Reader(stream).packets():
                    pass
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    def test_a_line_of_100_megabytes(self) -> None:
        megabyte = b'x' * (1 << 20)
        for before, after in ((b'test: a\n', b'\nsuccess: a\n'), (b'test: a\nfailure: a [\n', b'\n]\n'), (new(), b'')):
            self.assertLess(self.peak(before, *[megabyte] * 100, after), 10 << 20, before[:20])

    def test_what_only_looks_like_packets(self) -> None:
        self.assertLess(self.peak(b'\xb3\x2b\x02\xbf\xff\xff' * 500_000), 20 << 20)


if __name__ == '__main__':
    unittest.main()
