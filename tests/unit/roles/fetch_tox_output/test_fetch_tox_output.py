# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('fetch-tox-output', 'fetch_tox_output')


class TestWanted(unittest.TestCase):
    def test_cases(self) -> None:
        found = ['lint', 'py311', 'py312']
        for envlist, expected in (('', found), ('py311', ['py311']), ('py312,lint', ['lint', 'py312']),
                                  ('py312, lint', ['lint', 'py312']), (['py311'], ['py311']), ([], found),
                                  ('ALL', found), ('py3{11,12}', found), ('py399', found), ('py311,py399', found)):
            with self.subTest(envlist=envlist):
                self.assertEqual(module.wanted(envlist, found), expected)


class TestCollect(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.dest = self.base / 'out'

    def collect(self, dry: bool = False, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.collect(
            {'work_dir': str(self.base), 'envlist': '', 'dest': str(self.dest), 'fresh': False, **params}, dry)
        return result

    def log(self, path: str, content: str = 'x') -> Path:
        file = self.base / '.tox' / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.dest)) for path in self.dest.rglob('*') if path.is_file())

    def test_no_tox(self) -> None:
        self.assertEqual(self.collect(), {'changed': False, 'environments': [], 'written': 0, 'problems': []})
        self.assertFalse(self.dest.exists())

    def test_logs_are_copied_once(self) -> None:
        self.log('py311/log/1.log')
        self.log("lint/log/deep/it's.log")
        self.log('py311/bin/python')
        self.assertEqual(self.collect(dry=True)['written'], 2)
        self.assertFalse(self.dest.exists())
        self.assertEqual(self.collect()['environments'], ['lint', 'py311'])
        self.assertEqual(self.files(), ["lint/deep/it's.log", 'py311/1.log'])
        self.assertFalse(self.collect()['changed'])
        self.log('py311/log/1.log', 'y')
        self.assertEqual(self.collect()['written'], 1)

    def test_links_stay(self) -> None:
        secret = self.base / 'secret'
        secret.mkdir()
        (secret / 'key').write_text('key')
        self.log('py311/log/1.log')
        (self.base / '.tox/py311/log/link').symlink_to(secret / 'key')
        (self.base / '.tox/py311/log/way').symlink_to(secret)
        (self.base / '.tox/other').mkdir()
        (self.base / '.tox/other/log').symlink_to(secret)
        self.collect()
        self.assertEqual(self.files(), ['py311/1.log'])

    def test_what_cannot_be_copied_is_told(self) -> None:
        self.log('py311/log/1.log')
        self.dest.write_text('in the way')
        result = self.collect()
        self.assertFalse(result['changed'])
        self.assertRegex(result['problems'][0], r'py311/1\.log: ')

    def test_a_fresh_target(self) -> None:
        self.dest.mkdir()
        (self.dest / 'old').write_text('')
        self.log('py311/log/1.log')
        self.collect(fresh=True)
        self.assertEqual(self.files(), ['py311/1.log'])
