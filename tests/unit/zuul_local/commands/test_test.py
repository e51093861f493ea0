from __future__ import annotations

import argparse
import contextlib
import io
import json
import unittest
from pathlib import Path
from unittest import mock

from zuul_local.commands import test as command
from zuul_local.errors import FAILURE, SUCCESS, UserError
from zuul_local.testing.outcome import FAILED, PASSED, SKIPPED, Case
from zuul_local.testing.tools import Tools

TOOLS = Tools(Path('/venv'), Path('/collections'))


class TestWanted(unittest.TestCase):
    def test_the_parts_keep_their_order(self) -> None:
        table: tuple[tuple[list[str], list[str]], ...] = (
            ([], ['linters', 'unit', 'functional', 'publish', 'e2e', 'self-test', 'docs']),
            (['docs', 'e2e'], ['e2e', 'docs']),
            (['docs', 'unit', 'docs'], ['unit', 'docs']),
        )
        for names, expected in table:
            with self.subTest(names=names):
                self.assertEqual(command.wanted(names), expected)

    def test_an_unknown_part_is_refused_with_the_known_ones(self) -> None:
        with self.assertRaises(UserError) as caught:
            command.wanted(['unit', 'lint'])
        self.assertEqual(caught.exception.message, 'There is no part lint of the tests.')
        self.assertIn('linters, unit, functional, publish, e2e, self-test, docs', caught.exception.hint)


class TestSummary(unittest.TestCase):
    """What is said, and how it ends, when the parts come to certain cases."""

    def run_parts(self, cases: dict[str, list[Case]], *, as_json: bool = False) -> tuple[int, str, str]:
        parts = {name: lambda tools, root, seconds, found=found: list(found) for name, found in cases.items()}
        said, aside = io.StringIO(), io.StringIO()
        with mock.patch.object(command, 'PARTS', parts), mock.patch.object(command, 'provide', lambda: TOOLS), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(aside):
            code = command.test(argparse.Namespace(names=[], json=as_json))
        return code, said.getvalue(), aside.getvalue()

    def test_all_passed(self) -> None:
        code, said, aside = self.run_parts({'unit': [Case('a', PASSED), Case('b', SKIPPED, detail='no moon')],
                                            'docs': [Case('c', PASSED)]})
        self.assertEqual((code, said), (SUCCESS, '2 passed, 0 failed, 1 skipped\n'))
        self.assertIn('skipped: b: no moon\n', aside)
        self.assertRegex(aside, r'unit: 1 passed, 0 failed, 1 skipped in 0\.0 s of \d+ s allowed')

    def test_one_failed(self) -> None:
        code, said, aside = self.run_parts({'unit': [Case('a', FAILED)], 'docs': [Case('c', PASSED)]})
        self.assertEqual((code, said), (FAILURE, '1 passed, 1 failed, 0 skipped\n'))
        self.assertIn('failed: a\n', aside)

    def test_a_part_without_a_test_fails(self) -> None:
        code, said, aside = self.run_parts({'unit': []})
        self.assertEqual((code, said), (FAILURE, '0 passed, 1 failed, 0 skipped\n'))
        self.assertIn('unit ran no test at all.', aside)

    def test_machines_get_one_document(self) -> None:
        code, said, _ = self.run_parts({'unit': [Case('a', PASSED)]}, as_json=True)
        parts = json.loads(said)
        self.assertEqual((code, [part['name'] for part in parts]), (SUCCESS, ['unit']))
        self.assertEqual(parts[0]['cases'][0]['name'], 'a')
