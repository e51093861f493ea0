# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.unit.roles import library

python = library('ensure-python', 'ensure_python')
PARAMS = {'version': '', 'is_number': False, 'use_pyenv': False, 'use_stow': False, 'family': 'Debian'}
POLICY = """python3.12:
  Installed: (none)
  Candidate: 3.12.3-1
  Version table:
     3.12.3-1 500
python3.12-venv:
  Installed: (none)
  Candidate: 3.12.3-1
python3.12-dev:
  Installed: (none)
  Candidate: {dev}
"""


class TestEnsurePython(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name in ('python3', 'python3.9', 'python3.11', 'python3.13t', 'python3.11-config', 'python2.7', 'pythonw'):
            path = Path(folder.name, name)
            path.touch()
            path.chmod(0o755)
        Path(folder.name, 'python3.8').touch()    # not executable
        environment = mock.patch.dict(os.environ, {'PATH': folder.name})
        environment.start()
        self.addCleanup(environment.stop)
        self.folder = folder.name

    def look(self, answer: tuple[int, str, str] = (0, '', ''), **changes: object) -> dict:
        return python.look({**PARAMS, **changes}, lambda argv: answer)

    def test_there(self) -> None:
        for version in ('3.11', '3', '2.7', '3.13t'):
            with self.subTest(version=version):
                result = self.look(version=version)
                self.assertEqual((result['executable'], result['packages']), (f'{self.folder}/python{version}', []))
        self.assertEqual(self.look()['executable'], '')

    def test_the_distribution_has_it(self) -> None:
        result = self.look((0, POLICY.format(dev='3.12.3-1'), ''), version='3.12')
        self.assertEqual(result['packages'], ['python3.12', 'python3.12-venv', 'python3.12-dev'])

    def test_nobody_has_it(self) -> None:
        for answer in ((0, POLICY.format(dev='(none)'), ''), (0, '', ''), (100, '', 'E: broken')):
            with self.subTest(answer=answer), self.assertRaisesRegex(python.Refused,
                                                                     r'the node has: 2\.7, 3\.9, 3\.11, 3\.13t\)'):
                self.look(answer, version='3.12')

    def test_a_number_that_lost_its_zero(self) -> None:
        for version, is_number, told in (('3.1', True, True), ('3.1', False, False), ('3.12', True, False)):
            with self.subTest(version=version), self.assertRaises(python.Refused) as caught:
                self.look(version=version, is_number=is_number)
            self.assertEqual(f"the number {version}, write '{version}0'" in str(caught.exception), told)

    def test_a_broken_one(self) -> None:
        with self.assertRaisesRegex(python.Refused, 'python3.11 does not run: oops'):
            self.look((1, '', 'oops'), version='3.11')

    def test_bad_input_all_at_once(self) -> None:
        with self.assertRaises(python.Refused) as caught:
            self.look(version='3.11; id', use_pyenv=True, use_stow=True)
        for text in ("python_version is '3.11; id'", 'python_use_pyenv is true', 'python_use_stow is true'):
            self.assertIn(text, str(caught.exception))
        for version in ('4', '3.x', '../python', '3.11.2', ' ', '-c'):
            with self.subTest(version=version), self.assertRaisesRegex(python.Refused, 'not a version of Python'):
                self.look(version=version)


if __name__ == '__main__':
    unittest.main()
