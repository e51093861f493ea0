# SPDX-License-Identifier: Apache-2.0
"""Names of published files."""
from __future__ import annotations

import random
import unittest
from typing import Any

from tests.unit.roles import module_utils

names: Any = module_utils('sanitize_output_names')


class TestNames(unittest.TestCase):
    def test_safe_name(self) -> None:
        for name, expected in (
                (b'job-output.txt', 'job-output.txt'), (b'-rf', '-rf'), (b'$(touch x)', '$(touch x)'), (b' ', ' '),
                (b'100%', '100%'), ('ü☃'.encode(), 'ü☃'), (b'.hidden', '.hidden'), (b'.ht', '%2Eht'),
                (b'.htaccess', '%2Ehtaccess'), (b'a.htaccess', 'a.htaccess'), (b'a\nb', 'a%0Ab'),
                (b'\x1b[2J', '%1B[2J'), (b'caf\xe9', 'caf%E9'), (b'<a href="x">', '%3Ca href=%22x%22%3E'),
                (b"it's & `that`", 'it%27s %26 %60that%60'), (b'a\\b', 'a%5Cb'), (b'\x7f', '%7F'),
                ('\x85'.encode(), '%C2%85'), ('\u202e'.encode(), '%E2%80%AE'), ('\u2028'.encode(), '%E2%80%A8'),
                (b'\xff\xfe', '%FF%FE'), (b'\xed\xa0\x80', '%ED%A0%80')):
            with self.subTest(name=name):
                self.assertEqual(names.safe_name(name), expected)

    def test_a_safe_name_is_one_and_two_names_stay_two(self) -> None:
        rolled = random.Random(1)
        seen: dict[str, bytes] = {}
        for _ in range(5000):
            name = bytes(rolled.choice(b'ab.\n<\xc3\xbc\xff h') for _ in range(rolled.randrange(1, 300)))
            safe = names.safe_name(name)
            self.assertEqual(names.safe_name(safe.encode()), safe)
            self.assertLessEqual(len(safe.encode()), 255)
            self.assertEqual(seen.setdefault(safe, name), name)

    def test_taken(self) -> None:
        taken = {'a%0A', 'a%0A~1', 'x' * 255}
        self.assertEqual(names.free_name(b'a\n', taken.__contains__), 'a%0A~2')
        self.assertEqual(names.free_name(b'b\n', taken.__contains__), 'b%0A')
        self.assertEqual(names.free_name(b'x' * 255, taken.__contains__), 'x' * 253 + '~1')
