# SPDX-License-Identifier: Apache-2.0
"""Arguments that jobs give as lists, texts and numbers."""
from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import plugin

tool: Any = plugin('run-project-tool', 'filter', 'run_project_tool')
OPEN = 'a quotation is not closed, or the last character is a backslash. Write it as for a shell.'


class TestWords(unittest.TestCase):
    def test_all_forms(self) -> None:
        for value, expected in (
                ('', ''), (None, ''), ([], ''), ((), ''), (3, '3'), (3.5, '3.5'), ('-v -- -k "a b"', '-v -- -k "a b"'),
                (['-v'], '-v'), (['-k', 'a b', "it's", '$(id)', ''], "-k 'a b' 'it'\"'\"'s' '$(id)' ''"),
                ([3.9, '3.10'], '3.9 3.10'), (['a\nb'], "'a\nb'")):
            with self.subTest(value=value):
                self.assertEqual(tool.words(value), expected)

    def test_what_cannot_be_split(self) -> None:
        for value, wrong in (
                ('', False), ('a b', False), ("'a b'", False), ('"it\'s"', False), (r'a\ b', False), ('# a', False),
                ('"a\nb"', False), (r'"a\""', False), (["it's", '"', '\\'], False), (3.5, False),
                ("it's", True), ('"a', True), ('a\\', True), (r'"a\"', True)):
            with self.subTest(value=value):
                self.assertEqual(bool(tool.problems({'name': value})), wrong)
        self.assertEqual(tool.problems({'a': "'", 'b': '', 'c': '"'}), [f"a is ''': {OPEN}", f"c is '\"': {OPEN}"])


if __name__ == '__main__':
    unittest.main()
