# SPDX-License-Identifier: Apache-2.0
"""The beginning and the end of any text."""
from __future__ import annotations

import io
import random
import unittest
from typing import Any

from tests.unit.roles import module_utils

module: Any = module_utils('htmlify_logs_excerpt')


def excerpt(data: bytes, most_bytes: int = 1 << 20, most_lines: int = 1000) -> Any:
    return module.excerpt(io.BytesIO(data).read, most_bytes, most_lines)


class TestExcerpt(unittest.TestCase):
    def test_whole(self) -> None:
        for data, expected in ((b'', []), (b'\n', [b'']), (b'a', [b'a']), (b'a\n', [b'a']),
                               (b'a\n\nb', [b'a', b'', b'b']),
                               (b'a\n\n', [b'a', b''])):
            with self.subTest(data=data):
                got = excerpt(data)
                self.assertEqual((got.first, got.last, got.whole, got.bytes), (expected, [], True, len(data)))

    def test_lines_keep_their_numbers_and_nothing_is_there_twice(self) -> None:
        rolled = random.Random(3)
        for _ in range(2000):
            lines = [b'x' * rolled.choice((0, 1, 5, 40)) + b'%d' % number for number in range(rolled.randrange(60))]
            data = b'\n'.join(lines) + (rolled.choice((b'', b'\n')) if lines else b'')
            most_bytes, most_lines = rolled.choice((2, 9, 50, 300, 4000)), rolled.choice((2, 7, 30, 400))
            module.CHUNK = rolled.choice((3, 17, 1 << 20))
            got = excerpt(data, most_bytes, most_lines)
            module.CHUNK = 1 << 20
            with self.subTest(data=data, bytes=most_bytes, lines=most_lines):
                self.assertEqual(got.bytes, len(data))
                if got.whole:
                    self.assertEqual(got.first, lines)
                    continue
                first = got.first
                if len(first) == 1 and len(lines[0]) >= len(first[0]):      # a first line that was too long
                    self.assertTrue(lines[0].startswith(first[0]))
                else:
                    self.assertEqual(first, lines[:len(first)])
                self.assertGreater(got.resumes, len(first))
                self.assertEqual(got.last, lines[got.resumes - 1:])
                self.assertLessEqual(len(first), max(1, most_lines // 2))
                self.assertLessEqual(len(got.last), max(1, most_lines // 2))

    def test_limits(self) -> None:
        got = excerpt(b''.join(b'%d\n' % number for number in range(1, 1001)), most_lines=6)
        self.assertEqual(([*got.first], [*got.last], got.resumes),
                         ([b'1', b'2', b'3'], [b'998', b'999', b'1000'], 998))
        got = excerpt(b''.join(b'%05d\n' % number for number in range(1, 2001)) * 500, most_bytes=6000, most_lines=10)
        self.assertEqual((got.first[-1], got.last[-1], got.resumes), (b'00005', b'02000', 999996))

    def test_a_line_without_end(self) -> None:
        got = excerpt(b'a' * 5000000, 2000)
        self.assertEqual((got.first, got.last), ([b'a' * 1000], []))
        got = excerpt(b'a' * 5000000 + b'\nlast\n', 2000)
        self.assertEqual((got.first, got.last, got.resumes), ([b'a' * 1000], [b'last'], 2))
        got = excerpt(b'a' * 20000 + b'\nb')
        self.assertEqual([line[:10001] for line in got.first], [b'a' * 10000 + b' ', b'b'])
