from __future__ import annotations

import unittest

from zuul_local import cli
from zuul_local.commands.self_test import choose
from zuul_local.errors import UserError


class TestChoice(unittest.TestCase):
    def test_what_is_no_choice_is_refused(self) -> None:
        one_of = 'self-test takes one of ROLE…, --changed [BASE] and --all, not '
        table: tuple[tuple[list[str], str], ...] = (
            ([], one_of + 'none.'),
            (['some-role', '--all'], one_of + 'ROLE and --all.'),
            (['--all', '--changed'], one_of + '--changed and --all.'),
            (['some-role', '--table', 'page.rst'], '--table is a table of all roles on all labels.'),
            (['--all', '--label', 'one', '--table', 'page.rst'], '--table is a table of all roles on all labels.'),
            (['some-role', '--jobs', '0'], '--jobs is 0: not a number of builds.'),
            (['--all', '--ansible-version', '2'], "--ansible-version '2' is none that Zuul runs: it has 9 and 11."),
            (['some-role', '--junit', '/nonexistent/x.xml'], '--junit /nonexistent/x.xml: there is no such folder.'),
        )
        for words, expected in table:
            with self.subTest(words=words):
                with self.assertRaises(UserError) as caught:
                    choose(cli.parser().parse_args(['self-test', *words]))
                self.assertEqual(caught.exception.message, expected)
