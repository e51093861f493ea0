# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import library

constraints = library('find-constraints', 'find_constraints')


class TestLook(unittest.TestCase):
    def test_all(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for content, expected in ((b'a==1\n# b\n\nc==2', 2), (b'a===1\r\n', 1), (b'\xff==1\n', 1)):
                path = Path(folder, 'c.txt')
                path.write_bytes(content)
                with self.subTest(content=content):
                    self.assertEqual(constraints.look(str(path), '')['constraints'], expected)
            empty = Path(folder, 'empty.txt')
            empty.write_bytes(b'# a\n\n')
            for where, why in ((str(empty), "'said': .*empty.txt has 5 bytes and constrains nothing"),
                               (folder, 'is a folder'), (folder + '/gone', 'No such file')):
                with self.subTest(where=where), self.assertRaisesRegex(constraints.Refused, why):
                    constraints.look(where, 'said')

    def test_what_constrains_nothing(self) -> None:
        with tempfile.NamedTemporaryFile() as empty:
            told = f"tox_constraints_file is 'c': {empty.name} has 0 bytes and constrains nothing"
            for nothing, expected in (('note', [told]), ('ignore', [])):
                result = constraints.look(empty.name, 'c', nothing, 'tox_constraints_file')
                self.assertEqual(result['constraints'], 0)
                self.assertEqual(result['ansible_facts'], {'find_constraints_problems': expected})
            with self.assertRaisesRegex(constraints.Refused, 'constrains nothing. Repair what makes it'):
                constraints.look(empty.name, 'c', 'fail', 'tox_constraints_file')
            with self.assertRaisesRegex(constraints.Refused, "^tox_constraints_nothing is 'x': it is none of ignore"):
                constraints.look(empty.name, 'c', 'x', 'tox_constraints_file')


if __name__ == '__main__':
    unittest.main()
