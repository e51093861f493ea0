# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils

source = library('ensure-python', 'ensure_python_source')
request = module_utils('ensure_python_request')
GIVEN = request.Source(('http://example.org/a_b/', 'file:/srv/x'), ('x',), ('main', 'more'), 'the key\n', '')
POLICY = 'python3.12:\n  Installed: (none)\n  Candidate: 1\npython3.12-venv:\n  Candidate: (none)\n'


class TestEnsurePythonSource(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.apt = Path(folder.name, 'apt')
        self.lists = Path(folder.name, 'lists')
        (self.lists / 'partial').mkdir(parents=True)
        self.file, self.key = self.apt / source.FILE, self.apt / source.KEY
        self.update: tuple[int, str, str] = (0, '', '')

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[0] == 'apt-cache':
            return 0, POLICY, ''
        os.utime(self.file, (1, 1))
        return self.update

    def add(self, given: Any = GIVEN, needed: tuple[str, ...] = ('python3.12',)) -> tuple[bool, list[str]]:
        changed, packages = source.add(given, list(needed), ['python3.12', 'python3.12-venv'], self.run_command,
                                       str(self.apt))
        return changed, packages

    def test_it_is_written_once(self) -> None:
        self.assertEqual(self.add(), (True, ['python3.12']))
        self.assertEqual(self.file.read_text(), 'Types: deb\nURIs: http://example.org/a_b/ file:/srv/x\nSuites: x\n'
                                                f'Components: main more\nSigned-By: {self.key}\n')
        self.assertEqual(self.key.read_text(), 'the key\n')
        self.assertEqual(stat.S_IMODE(self.key.stat().st_mode), 0o644)
        self.assertGreater(self.file.stat().st_mtime, 1, 'newer than the lists')
        self.assertEqual(self.add(), (False, ['python3.12']))
        self.assertEqual(sorted(path.name for path in self.file.parent.iterdir()), [self.file.name])

    def test_a_key_that_is_there(self) -> None:
        self.add(GIVEN._replace(key='', key_file='/etc/key.asc', suites=('./',)))
        self.assertIn('Suites: ./\nSigned-By: /etc/key.asc\n', self.file.read_text())
        self.assertFalse(self.key.exists())

    def test_what_apt_does_not_like(self) -> None:
        for answer in ((100, '', 'E: The repository is not signed.'), (0, '', 'W: GPG error: x'),
                       (0, '', 'W: Failed to fetch x')):
            self.update = answer
            said = f'apt cannot use .* x: {answer[2]}'
            with self.subTest(answer=answer), self.assertRaisesRegex(request.Refused, said):
                self.add()

    def test_it_has_not_what_is_needed(self) -> None:
        with self.assertRaisesRegex(request.Refused, 'has no python3.12-venv. Use another'):
            self.add(needed=('python3.12', 'python3.12-venv'))

    def test_nothing_stays(self) -> None:
        self.add()
        for name in ('example.org_a%5fb_dists_x_InRelease', 'partial/_srv_x_dists_x_InRelease', 'other_dists_x'):
            (self.lists / name).touch()
        self.assertTrue(source.remove(GIVEN, str(self.apt), str(self.lists)))
        self.assertEqual(sorted(path.name for path in self.lists.rglob('*')), ['other_dists_x', 'partial'])
        self.assertFalse(self.file.exists() or self.key.exists())
        self.assertFalse(source.remove(GIVEN, str(self.apt), str(self.lists)))


if __name__ == '__main__':
    unittest.main()
