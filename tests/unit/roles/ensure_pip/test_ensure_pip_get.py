# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils

get = library('ensure-pip', 'ensure_pip_get')
script = module_utils('ensure_pip_script')
interpreters = module_utils('ensure_pip_interpreters')
GOOD = b'good'
HASH = hashlib.sha256(GOOD).hexdigest()
ANSWER = {'version': [3, 11], 'prefix': '/x', 'in_venv': False, 'marked': False, 'missing': ['pip'], 'folders': []}


class TestEnsurePipGet(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cache = self.folder / 'get-pip.py'
        self.cache.write_bytes(GOOD)
        self.asked: list[list[str]] = []
        self.fails: tuple[str, ...] = ()
        self.wheels = ['/bundled/pip-1.whl']
        for name in ('one', 'two'):
            (self.folder / name).touch(0o755)

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[2] == '-c' and len(argv) == 4:
            return 0, json.dumps({**ANSWER, 'wheels': self.wheels}), ''
        self.asked.append(argv)
        for word in self.fails:
            if word in ' '.join(argv):
                return 1, '', f'no {word} from https://u:secret@h/'
        return 0, 'pip 9\n', ''

    def provide(self, *names: str, **changes: Any) -> dict[str, Any]:
        params = {'interpreters': [f'{self.folder}/{name}' for name in names or ('one',)], 'url': script.UPSTREAM,
                  'sha256': [HASH], 'known': '', 'cache': str(self.cache), 'lock': 'pip==1\n', **changes}
        return get.provide(params, self.run_command)

    def test_the_cache_comes_first_and_alone(self) -> None:
        result = self.provide('one', 'two')
        self.assertEqual(result, {'changed': True, 'passed_over': [],
                                  'installed': {f'{self.folder}/{name}': 'pip 9' for name in ('one', 'two')}})
        for argv in self.asked[::2]:
            self.assertEqual(argv[3:5], ['--isolated', '--no-index'])
            self.assertFalse(os.path.exists(argv[2]), 'nothing stays')
        self.assertEqual(self.asked[1][1:], ['-I', '-m', 'pip', '--version'])

    def test_then_the_index(self) -> None:
        cases: tuple[dict[str, Any], ...] = ({'sha256': []}, {'cache': '/absent'})
        for changes in cases:
            with self.subTest(**changes):
                self.asked.clear()
                result = self.provide(**changes)
                self.assertEqual(self.asked[0][4:8], ['/bundled', 'install', '--require-hashes', '--no-deps'])
                self.assertEqual(len(result['passed_over']), 1)

    def test_a_cached_pip_that_this_python_cannot_run(self) -> None:
        self.fails = ('--isolated',)
        result = self.provide()
        self.assertIn('cache', result['passed_over'][0])
        self.assertIn('--require-hashes', self.asked[1])

    def test_an_address_of_the_operator_replaces_the_index(self) -> None:
        self.provide(url=f'file://{self.cache}', cache='/absent')
        self.assertIn('--no-index', self.asked[0])
        self.asked.clear()
        self.fails = ('--no-index',)
        self.provide(url=f'file://{self.cache}', cache='/absent')
        self.assertNotIn('--no-index', self.asked[1])
        self.assertNotIn('--require-hashes', self.asked[1])

    def test_every_place_is_told(self) -> None:
        self.fails = ('one -I', )
        with self.assertRaises(interpreters.Refused) as caught:
            self.provide('one', 'two')
        said = str(caught.exception)
        for text in (f'one: cache {self.cache}: no one -I from https://h/',
                     'one: index the configured package index: no',
                     'two has it now: pip 9'):
            self.assertIn(text, said)
        self.assertNotIn('secret', said)

    def test_an_own_pip_is_preferred(self) -> None:
        commands = get.by_index('/lock', ['/distribution/pip-1.whl'])
        for wheels, expected in ((('/own/pip-2.whl',), '/own'), ((), '/distribution')):
            with self.subTest(wheels=wheels):
                self.assertEqual(commands(interpreters.Interpreter('/x', '3.11', wheels=wheels))[0][4], expected)

    def test_no_pip_to_begin_with(self) -> None:
        self.wheels = []
        commands = get.by_index('/lock', [])(interpreters.Interpreter('/x', '3.11'))
        self.assertEqual(commands, [])
        ladder = [get.Place('index', get.by_index('/lock', []))]
        with self.assertRaisesRegex(interpreters.Refused, 'the node has no pip that could fetch it'):
            get.fill(interpreters.Interpreter('/x', '3.11'), ladder, self.run_command)

    def test_repeated_tries_are_told_once(self) -> None:
        self.assertEqual(get.words_of('WARNING: Retrying (a)\nWARNING: Retrying (b)\nERROR: no\n[notice] new'),
                         'WARNING: Retrying (a)\n    ERROR: no')


if __name__ == '__main__':
    unittest.main()
