# SPDX-License-Identifier: Apache-2.0
"""A build that fails leaves nothing of itself, and one that hangs ends."""
from __future__ import annotations

import os
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('build-diskimage', 'build_diskimage')
GOOD = 'while [ "$1" != -o ]; do shift; done; echo "$VALUE" > "$2.qcow2"'


class TestBuild(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)
        self.sleeps: list[float] = []

    def build(self, script: str, **other: Any) -> Any:
        program = self.top / 'program'
        program.write_text(f'#!/bin/sh\n{script}\n')
        program.chmod(0o755)
        params = {'command': str(program), 'name': 'one', 'elements': ['vm'], 'formats': ['qcow2'], 'environment': {},
                  'root': str(self.top / 'images'), 'logs': str(self.top / 'logs'), 'retries': 0, 'delay': 7,
                  'no_base': False, 'timeout': 60, **other}
        return module.build(params, {'PATH': os.environ['PATH']}, self.sleeps.append)

    def images(self) -> list[str]:
        return sorted(os.listdir(self.top / 'images'))

    def test_values_are_what_a_shell_understands(self) -> None:
        for value, seen in (('a b', 'a b'), (3, '3'), (True, '1'), (False, '0')):
            with self.subTest(value=value):
                result = self.build(GOOD, environment={'VALUE': value})
                self.assertEqual(f'{seen}\n', Path(result['images']['qcow2']).read_text())

    def test_what_it_is_told(self) -> None:
        params = {'command': '/dib', 'no_base': True, 'formats': ['raw', 'vhd'], 'elements': ['a', 'b']}
        self.assertEqual(['/dib', '-x', '-n', '-t', 'raw,vhd', '-o', '/out', 'a', 'b'], module.command(params, '/out'))

    def test_failures_leave_nothing_and_are_tried_again(self) -> None:
        for script, told in (('exit 4', 'ended with 4'), ('true', 'made no qcow2, and did not say why')):
            self.sleeps.clear()
            with self.subTest(told=told), self.assertRaisesRegex(module.Refused, f'in 3 attempts: .*{told}.*one.3.log'):
                self.build(script, retries=2)
            self.assertEqual(([7, 7], []), (self.sleeps, self.images()))
            self.assertEqual(['one.2.log', 'one.3.log', 'one.log'], sorted(os.listdir(self.top / 'logs')))

    def test_one_that_hangs_ends_with_its_children(self) -> None:
        begun = time.monotonic()
        with self.assertRaisesRegex(module.Refused, 'not done in 1 seconds'):
            self.build('sleep 60 & wait', timeout=1)
        self.assertLess(time.monotonic() - begun, 20)
        self.assertEqual([], self.images())

    def test_a_link_in_place_of_the_log_is_not_followed(self) -> None:
        (self.top / 'logs').mkdir()
        (self.top / 'logs/one.log').symlink_to(self.top / 'precious')
        with self.assertRaises(OSError):
            self.build(GOOD)
        self.assertFalse((self.top / 'precious').exists())

    def test_nonsense(self) -> None:
        for other, told in (
                ({'name': 'a/b'}, "image_name is 'a/b'"), ({'elements': ['-x']}, "elements is .'-x'."),
                ({'environment': {'A': ['list']}}, "'A', whose value is no text"),
                ({'root': 'images'}, 'not an absolute path'),
                ({'command': '/nowhere'}, "Call the role 'ensure-dib'"), ({'timeout': 0}, 'at least 1 is needed')):
            with self.subTest(told=told), self.assertRaisesRegex(module.Refused, told):
                self.build(GOOD, **other)
        self.assertFalse((self.top / 'images').exists())
