# SPDX-License-Identifier: Apache-2.0
"""What lines of logs say of how grave they are."""
from __future__ import annotations

import html
import time
import unittest
from typing import Any

from tests.unit.roles import module_utils

levels: Any = module_utils('htmlify_logs_levels')
ZUUL = '2026-01-01 10:00:00.123456 | '


def of(*lines: str) -> str:
    """The levels of lines, one letter each, ``-`` for none."""
    return ''.join(level or '-' for level in levels.levels(html.escape(line, quote=False) for line in lines))


class TestLevels(unittest.TestCase):
    def test_one_line(self) -> None:
        for line, expected in (
                # oslo.log
                ('2026-01-01 10:00:00.123 4711 DEBUG nova.api [-] text', 'd'),
                ('2026-01-01 10:00:00.123 4711 TRACE nova.api [-] text', 'd'),
                ('2026-01-01 10:00:00.123 INFO nova.api [-] text', 'i'),
                ('2026-01-01T10:00:00.123Z 4711 AUDIT nova [-]', 'i'),
                ('2026-01-01 10:00:00.123 4711 WARNING nova.api [req-1 u p] text', 'w'),
                ('2026-01-01 10:00:00.123 4711 ERROR nova.api [-] text', 'e'),
                ('2026-01-01 10:00:00.123 4711 CRITICAL nova [-] text', 'e'),
                # logging of Python
                ('2026-01-01 10:00:00,123 - name.of.it - ERROR - text', 'e'),
                ('2026-01-01 10:00:00,123 - INFO - text', 'i'),
                ('2026-01-01 10:00:00,123 [WARNING] text', 'w'),
                ('[2026-01-01 10:00:00 +0000] [4711] [INFO] Booting worker', '-'),
                # syslog and journald
                ('Jan  1 10:00:00 node devstack@n-api.service[4711]: DEBUG nova.api', 'd'),
                ('Jan  1 10:00:00.123456 node nova-compute[4711]: ERROR nova.virt [None]', 'e'),
                ('2026-01-01T10:00:00+0000 node neutron[1]: 2026-01-01 10:00:00.1 1 WARNING neutron', 'w'),
                ('Jan  1 10:00:00 node sshd[1]: error: kex_exchange', '-'),
                ('Jan  1 10:00:00 node kernel: [   12.345678] text', '-'),
                ('<3>text', 'e'), ('<30>1 2026-01-01T10:00:00Z text', 'i'), ('<7>text', 'd'), ('<192>text', '-'),
                ('<b>text', '-'),
                ('{"__CURSOR":"s=1","PRIORITY":"4","MESSAGE":"text"}', 'w'), ('{"PRIORITY" : "7"}', 'd'),
                ('{"a": 1}', '-'),
                ('time="2026-01-01T10:00:00Z" level=error msg="no"', 'e'), ('ts=1 level="warn" x=1', 'w'),
                ('level=high water', '-'),
                # pytest
                ('WARNING  root:test_a.py:3 text', 'w'), ('ERROR    root:test_a.py:3 text', 'e'),
                ('FAILED tests/test_a.py::test_b - assert 1 == 2', 'e'), ('E       assert 1 == 2', 'e'),
                ('tests/test_a.py::test_b FAILED         [ 50%]', 'e'), ('tests/test_a.py::test_b PASSED [ 50%]', '-'),
                ('Traceback (most recent call last):', 'e'),
                # in a job's output
                (ZUUL + 'node | 2026-01-01 10:00:00.123 4711 ERROR nova.api [-] text', 'e'),
                (ZUUL + 'node | FAILED tests/test_a.py::test_b', 'e'), (ZUUL + 'TASK [run]', '-'),
                (ZUUL + 'localhost | ERROR', 'e'),
                # none
                ('', '-'), ('ERRORS were found: 0', '-'), ('DEBUG=1', '-'), ('no ERROR here', '-'), ('Exact', '-')):
            with self.subTest(line=line):
                self.assertEqual(of(line), expected)

    def test_what_follows_a_record(self) -> None:
        self.assertEqual(of('before', '2026-01-01 10:00:00.1 1 ERROR x', '  File "x"', 'ValueError', '',
                            '2026-01-01 10:00:00.1 1 INFO x', 'more', '2026-01-01 10:00:00.1 text', 'more'),
                         '-eeeeii--')
        self.assertEqual(of('FAILED tests/a.py', 'next', 'E   x', 'next'), 'e-e-')
        self.assertEqual(of(ZUUL + 'node | 2026-01-01 10:00:00.1 1 ERROR x', ZUUL + 'node |   File',
                            ZUUL + 'node | next', ZUUL + 'node |   next'), 'ee--')
        self.assertEqual(of('<3>x', *['more'] * 600)[-50:], '-' * 50)

    def test_no_line_takes_long(self) -> None:
        for line in ('a' * 10000, 'a:' * 5000, '1' * 10000, '2026-01-01 ' * 900, 'a. ' * 3000, 'a::' * 3000,
                     '[' * 10000, '10:00:00 ' * 1000, 'level=' * 1500, '{' + '"PRIORITY" :' * 900):
            with self.subTest(line=line[:12]):
                start = time.process_time()
                for _ in range(1000):
                    levels.level(line)
                self.assertLess(time.process_time() - start, 2)
