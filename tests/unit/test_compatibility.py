"""What the page about compatibility takes from the READMEs of roles."""

from __future__ import annotations

import unittest
from typing import Any

from tests.unit.roles import imported
from zuul_local import paths

directive: Any = imported('compatibility', paths.LIBRARY / 'doc' / 'compatibility.py')


class TestDifferences(unittest.TestCase):

    def test_under_a_heading_or_behind_one(self) -> None:
        for readme, told in (
            ('Does it.\n\n**Differences to zuul-jobs**\n\n* One.\n  More.\n* Two.\n\n**Cost**: none.\n',
             '* One.\n  More.\n* Two.'),
            ('Does it.\n\n**Differences to zuul-jobs**\n\n- One.\n\n.. zuul:rolevar:: x\n', '- One.'),
            ('Does it.\n\n**Differences to zuul-jobs**: links are\nleft out.\n\nMore.\n', 'Links are\nleft out.'),
            ('Does it.\n\n**Differences to zuul-jobs**\n\n* The last.\n', '* The last.'),
            ('Does it.\n', ''),
        ):
            with self.subTest(readme=readme):
                self.assertEqual(told, directive.differences(readme))


class TestEntries(unittest.TestCase):

    def test_what_is_said_of_a_name(self) -> None:
        self.assertEqual([('a', 'same', ''), ('b', 'different', 'So.'), ('c', 'not yet', '')],
                         list(directive.entries('jobs', {'b': {'different': 'So.'}, 'c': 'not yet', 'a': 'same'})))

    def test_a_role_tells_itself(self) -> None:
        (_, _, how), = directive.entries('roles', {'log-inventory': 'different'})
        self.assertIn('masked', how)

    def test_another_state_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "jobs: a: 'good'. It is one of: same, better, different, not yet."):
            list(directive.entries('jobs', {'a': 'good'}))
