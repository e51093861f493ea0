# SPDX-License-Identifier: Apache-2.0
"""What is asked of journalctl, and what is made of its answer. A script stands in for it; nodes try the real one."""
from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('collect-journal', 'collect_journal')


class TestCommand(unittest.TestCase):
    def test_cases(self) -> None:
        head = ['journalctl', '--no-pager', '--quiet', '--output=export']
        for since, seconds, units, expected in (
                ('', 0, [], ['--boot']), ('', 90, [], ['--since=-90s']), ('', -5, [], ['--boot']),
                ('2 hours ago', 90, [], ['--since=2 hours ago']),
                ('--vacuum-time=1s', 0, ['--flush', 'a b'],
                 ['--since=--vacuum-time=1s', '--unit=--flush', '--unit=a b'])):
            with self.subTest(since=since):
                self.assertEqual(module.command('export', since, seconds, units), head + expected)


class TestCollect(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        (self.base / 'bin').mkdir()

    def collect(self, script: str = '', sudo: str = 'exit 1', **other: Any) -> dict[str, Any]:
        for name, text in (('journalctl', script), ('sudo', sudo)):
            path = self.base / 'bin' / name
            path.unlink(missing_ok=True)
            if text:
                path.write_text(f'#!/bin/sh\n{text}\n')
                path.chmod(0o755)
        path_there = f'{self.base}/bin:/bin' if script else f'{self.base}/bin'
        with mock.patch.dict(os.environ, PATH=path_there), \
                mock.patch.object(module, 'SYSTEM', (f'{self.base}/journal/*/system.journal',)), \
                mock.patch.object(module.os, 'geteuid', return_value=1000), \
                mock.patch.object(module.getpass, 'getuser', return_value='zuul'), \
                mock.patch.object(module.stream.os, 'chown'):
            result: dict[str, Any] = module.collect({
                'dest': str(self.base / 'out'), 'seconds': 0, 'since': '', 'units': [], 'export': False, 'timeout': 20,
                'max_bytes': 1000, **other})
        return result

    def text(self, name: str = 'journal.txt.gz') -> str:
        return gzip.decompress((self.base / 'out' / name).read_bytes()).decode()

    def test_through_sudo(self) -> None:
        result = self.collect('echo "$@"', 'shift; test "$1" = true || shift; exec "$@"', export=True)
        self.assertEqual(result, {'changed': True, 'files': ['journal.txt.gz', 'journal.export.gz'], 'problems': []})
        self.assertEqual(self.text(), '--no-pager --quiet --output=short-iso-precise --boot\n')
        self.assertEqual(self.text('journal.export.gz'), '--no-pager --quiet --output=export --boot\n')
        self.assertFalse(self.collect('echo more', 'shift; test "$1" = true || shift; exec "$@"')['changed'])
        self.assertEqual(self.text(), 'more\n')

    def test_without_sudo_it_is_told(self) -> None:
        self.assertEqual(self.collect('echo mine')['problems'], [
            'the journal: sudo does not work here, so this is what zuul may read of it'])
        self.assertEqual(self.text(), 'mine\n')

    def test_without_sudo_where_it_may_be_read(self) -> None:
        (self.base / 'journal/0123').mkdir(parents=True)
        (self.base / 'journal/0123/system.journal').touch()
        self.assertEqual(self.collect('echo all')['problems'], [])
        self.assertEqual(self.text(), 'all\n')
        with mock.patch.object(module.os, 'access', return_value=False):
            self.assertEqual(len(self.collect('echo mine')['problems']), 1)

    def test_without_a_journal(self) -> None:
        self.assertEqual(self.collect(), {'changed': False, 'files': [], 'problems': [
            'no journal: there is no journalctl']})
        self.assertEqual(self.collect('echo no files >&2; exit 1')['problems'][1:], [
            'journal.txt.gz: journalctl: exit code 1: no files'])
        self.assertEqual(os.listdir(self.base / 'out'), [])

    def test_one_that_hangs(self) -> None:
        self.assertEqual(self.collect('echo begin; sleep 60', timeout=1)['problems'][1:], [
            'journal.txt.gz: not done after 1 seconds (collect_journal_timeout); what was read until then is kept'])
        self.assertEqual(self.text(), 'begin\n')

    def test_one_that_is_long(self) -> None:
        result = self.collect('seq 10000', export=True)
        self.assertEqual(result['files'], ['journal.txt.gz'])
        self.assertRegex(result['problems'][1],
                         r'journal.txt.gz: longer than 1000 bytes .*; 4\d+ bytes at its beginning')
        self.assertRegex(result['problems'][2], 'journal.export.gz: longer than 1000 bytes .*; it is left out')
        self.assertTrue(self.text().endswith('9999\n10000\n'))
