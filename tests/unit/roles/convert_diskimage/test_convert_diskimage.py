# SPDX-License-Identifier: Apache-2.0
"""An image is whole or not there. The program is played here; test-playbooks have the real one."""
from __future__ import annotations

import os
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('convert-diskimage', 'convert_diskimage')


class TestConvert(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = Path(scratch.name)
        self.source = self.top / 'one.qcow2'
        self.source.write_text('image')
        self.calls: list[list[str]] = []
        self.code = 0

    def run_command(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.calls.append(list(argv))
        Path(argv[-1]).write_text('half' if self.code else 'converted')
        return self.code, '', 'no space'

    def convert(self, check_mode: bool = False, **other: Any) -> Any:
        params = {'source': str(self.source), 'source_format': '', 'target': str(self.top / 'two'),
                  'formats': ['raw', 'vhd'], 'timeout': 9, **other}
        return module.convert(params, self.run_command, check_mode)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.top.iterdir())

    def test_what_the_program_is_told(self) -> None:
        result = self.convert()
        self.assertEqual(['raw', 'vhd'], result['converted'])
        self.assertEqual([['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw'],
                          ['qemu-img', 'convert', '-f', 'qcow2', '-O', 'vpc', '-o', 'subformat=fixed,force_size=on']],
                         [call[:-2] for call in self.calls])
        self.assertEqual(['one.qcow2', 'two.raw', 'two.vhd'], self.names())

    def test_again_only_what_has_changed(self) -> None:
        self.convert(formats=['raw'])
        self.assertFalse(self.convert(formats=['raw'])['changed'])
        os.utime(self.source, ns=(5, 5))
        self.assertTrue(self.convert(formats=['raw'])['changed'])
        self.assertEqual(2, len(self.calls))

    def test_a_link_in_its_place_is_replaced_and_not_followed(self) -> None:
        (self.top / 'precious').write_text('precious')
        (self.top / 'two.raw').symlink_to('precious')
        self.convert(formats=['raw'])
        self.assertEqual('precious', (self.top / 'precious').read_text())
        self.assertFalse((self.top / 'two.raw').is_symlink())

    def test_a_failure_leaves_what_was_there(self) -> None:
        (self.top / 'two.raw').write_text('old')
        for code, told in ((1, "qemu-img cannot make raw of '"), (124, 'raw was not done in 9 seconds')):
            self.code = code
            with self.subTest(code=code), self.assertRaisesRegex(module.Refused, told):
                self.convert()
            self.assertEqual((['one.qcow2', 'two.raw'], 'old'), (self.names(), (self.top / 'two.raw').read_text()))

    def test_check_mode_changes_nothing(self) -> None:
        self.assertTrue(self.convert(check_mode=True)['changed'])
        self.assertEqual(([], ['one.qcow2']), (self.calls, self.names()))

    def test_nonsense(self) -> None:
        for other, told in (
                ({'formats': []}, 'at least one format'), ({'formats': ['iso']}, "is .'iso'.: at least"),
                ({'source_format': 'iso'}, "source_format is 'iso'"), ({'target': 'two'}, 'not an absolute path'),
                ({'source': '/nowhere/one.raw'}, 'No such file'),
                ({'target': '/nowhere/two'}, 'its folder is not there'),
                ({'source_format': 'raw', 'target': str(self.top / 'one'), 'formats': ['qcow2']},
                 'it would be the source')):
            with self.subTest(told=told), self.assertRaisesRegex(module.Refused, told):
                self.convert(**other)
        self.assertEqual([], self.calls)
