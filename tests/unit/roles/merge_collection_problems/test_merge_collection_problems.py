# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest

from tests.unit.roles import plugin

action = plugin('merge-collection-problems', 'action', 'merge_collection_problems')


class TestTold(unittest.TestCase):
    def test_facts(self) -> None:
        for facts, expected in (
                ({}, []),
                ({'a_problems': []}, []),
                ({'b_problems': ['x'], 'a_b_problems': ['y', 'z']}, ['n: a-b: y', 'n: a-b: z', 'n: b: x']),
                ({'problems': ['x'], 'a_problem': ['x']}, []),
                ({'a_problems': 'text', 'b_problems': {'x': 1}, 'c_problems': None, 'd_problems': [1, ['x'], 'x']},
                 ['n: d: x']),
                ({'a_problems': ['two\nlines', '\x1b[31m', '\udce9']},
                 ['n: a: two\\nlines', 'n: a: \\x1b[31m', 'n: a: \\udce9'])):
            with self.subTest(facts=facts):
                self.assertEqual(expected, action.told('n', facts))

    def test_limits(self) -> None:
        [line] = action.told('n', {'a_problems': ['x' * 10000]})
        self.assertEqual(action.MAX_TEXT, len(line))
        facts = {'ansible_facts': {'a_problems': ['x'] * 5000}}
        lines = action.collect(['one', 'two'], {'one': facts, 'two': {}})
        self.assertEqual(action.MAX_LINES, len(lines))
        self.assertEqual('4001 more lines', lines[-1])


class TestWrite(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = os.path.join(scratch.name, 'logs')
        os.mkdir(self.folder)
        self.file = os.path.join(self.folder, action.NAME)

    def test_over_a_link(self) -> None:
        os.symlink('../elsewhere', self.file)
        action.write(self.folder, ['one', 'two'])
        self.assertEqual([action.NAME], os.listdir(self.folder))
        self.assertFalse(os.path.islink(self.file) or os.path.lexists(os.path.join(self.folder, '../elsewhere')))
        with open(self.file, encoding='utf-8') as stream:
            self.assertEqual('one\ntwo\n', stream.read())

    def test_a_folder_of_its_name(self) -> None:
        os.mkdir(self.file)
        with self.assertRaises(OSError):
            action.write(self.folder, ['one'])
        self.assertEqual([action.NAME], os.listdir(self.folder))
