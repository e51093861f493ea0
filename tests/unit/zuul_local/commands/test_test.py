from __future__ import annotations

import unittest

from zuul_local.commands.test import wanted
from zuul_local.errors import UserError


class TestWanted(unittest.TestCase):
    def test_the_parts_keep_their_order(self) -> None:
        table: tuple[tuple[list[str], list[str]], ...] = (
            ([], ['linters', 'unit', 'functional', 'docs']),
            (['docs', 'unit', 'docs'], ['unit', 'docs']),
        )
        for names, expected in table:
            with self.subTest(names=names):
                self.assertEqual(wanted(names), expected)

    def test_an_unknown_part_is_refused_with_the_known_ones(self) -> None:
        with self.assertRaises(UserError) as caught:
            wanted(['unit', 'lint'])
        self.assertEqual(caught.exception.message, 'There is no part lint of the tests.')
        self.assertIn('linters, unit, functional, docs', caught.exception.hint)
