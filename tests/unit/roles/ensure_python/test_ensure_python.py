# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from jinja2 import Environment

from tests.unit.roles import ROLES, library, module_utils

python = library('ensure-python', 'ensure_python')
request = module_utils('ensure_python_request')


def platform(family: str, major: str = '') -> dict[str, Any]:
    """The parameters that the role takes from vars/ on a platform."""
    said = yaml.safe_load((ROLES / 'ensure-python' / 'vars' / f'{family}.yaml').read_text())
    suffixes = Environment().from_string(said.get('__ensure_python_suffixes', '{}')).render(
        ansible_facts={'distribution_major_version': major})
    return {'packages': said['__ensure_python_packages'], 'suffixes': yaml.safe_load(suffixes)}


PARAMS = {'version': '', 'is_number': False, 'use_pyenv': False, 'use_stow': False, 'stow_dir': '/nonexistent',
          'pyenv_root': '/nonexistent', 'source': {}, 'family': 'Debian', 'complaint': '', 'final': False,
          **platform('Debian')}
SOURCE = {'uris': 'https://example.org/', 'suites': 'x', 'signed_by': __file__}
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
ALL = ['python3.12', 'python3.12-venv', 'python3.12-dev']


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.bin = self.folder / 'bin'
        for name in ('python3', 'python3.9', 'python3.11', 'python3.13t', 'python3.11-config', 'python2.7', 'pythonw'):
            self.program(self.bin / name)
        (self.bin / 'python3.8').touch()    # not executable
        environment = mock.patch.dict(os.environ, {'PATH': str(self.bin)})
        environment.start()
        self.addCleanup(environment.stop)
        self.has_lists(True)
        self.policy: tuple[int, str, str] = (0, '', '')

    def has_lists(self, there: bool) -> None:
        lists = mock.patch.object(python, 'LISTS', f'{self.folder}/bin/python3' if there else '/nonexistent')
        lists.start()
        self.addCleanup(lists.stop)

    @staticmethod
    def program(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        """Every Python is the release .2 of what its name says, in stow's and pyenv's folders too."""
        if argv[0] == 'apt-cache':
            return self.policy
        name = Path(argv[0]).name[len('python'):]
        release = {'3': '3.11.2'}.get(name) or name.rstrip('t') + '.2' + ('t' if name.endswith('t') else '')
        return 0, release + '\n', ''

    def look(self, **changes: Any) -> dict[str, Any]:
        return python.look({**PARAMS, **changes}, self.run_command)

    def refused(self, **changes: Any) -> str:
        with self.assertRaises(request.Refused) as caught:
            self.look(**changes)
        return str(caught.exception)


class TestEnsurePython(Case):
    def test_there(self) -> None:
        for version in ('3.11', '3', '2.7', '3.13t'):
            with self.subTest(version=version):
                result = self.look(version=version)
                self.assertEqual(result['executables'], {version: f'{self.bin}/python{version}'})
                self.assertEqual(result['packages'], [])
        self.assertEqual(self.look()['executables'], {})

    def test_several(self) -> None:
        expected = {'3.9': f'{self.bin}/python3.9', '3.11': f'{self.bin}/python3.11'}
        for version in (['3.9', '3.11'], '3.9,3.11', '3.9 3.11 3.9', [3.9, 3.11]):
            with self.subTest(version=version):
                self.assertEqual(self.look(version=version)['executables'], expected)

    def test_the_distribution_has_it(self) -> None:
        for dev, expected in (('3.12.3-1', ALL), ('(none)', ALL[:2])):
            with self.subTest(dev=dev):
                self.policy = (0, POLICY.format(dev=dev), '')
                result = self.look(version='3.12')
                self.assertEqual((result['packages'], result['certain']), (expected, True))

    def test_nobody_has_it(self) -> None:
        for answer in ((0, '', ''), (100, '', 'E: broken')):
            self.policy = answer
            with self.subTest(answer=answer):
                self.assertIn('the node has: 2.7, 3.9, 3.11, 3.13t)', self.refused(version='3.12'))
        said = self.refused(version=['3.12', '3.14'])
        self.assertIn("python_version is '3.12'", said)
        self.assertIn("python_version is '3.14'", said)

    def test_without_lists_it_is_tried_once(self) -> None:
        self.has_lists(False)
        result = self.look(version='3.12')
        self.assertEqual((result['packages'], result['certain']), (ALL, False))
        self.assertIn('no way out', self.refused(version='3.12', complaint='no way out'))
        result = self.look(version='3.12', complaint='no way out', source=SOURCE)
        self.assertEqual((result['packages'], result['source_packages']), ([], ALL))

    def test_other_platforms_are_tried(self) -> None:
        for family, major, version, expected in (
                ('RedHat', '9', '3.12', ['python3.12', 'python3.12-devel']),
                ('RedHat', '9', '3.9', ['python3.9', 'python3.9-devel']),
                ('RedHat', '8', '3.9', ['python39', 'python39-devel']),
                ('RedHat', '8', '3.12', ['python3.12', 'python3.12-devel']),
                ('RedHat', '42', '3.14t', ['python3.14-freethreading']),
                ('Suse', '15', '3.12', ['python312', 'python312-devel']),
                ('Suse', '15', '3.14t', ['python314-nogil'])):
            with self.subTest(family=family, version=version):
                os.environ['PATH'] = '/nonexistent'
                changes = {**platform(family, major), 'family': family, 'version': version}
                if (major, version) == ('9', '3.9'):
                    expected = ['python3', 'python3-devel']
                self.assertEqual(self.look(**changes)['packages'], expected)
        self.assertIn("packages of the platform 'Void' are not known",
                      self.refused(family='Void', packages={}, version='3.12'))

    def test_the_source_comes_after_the_distribution(self) -> None:
        result = self.look(version='3.12', source=SOURCE)
        self.assertEqual((result['source_packages'], result['source_needed'], result['packages']), (ALL, ALL[:1], []))
        self.policy = (0, POLICY.format(dev='1'), '')
        self.assertEqual(self.look(version='3.12', source=SOURCE)['source_packages'], [])
        self.assertEqual(self.look(version='3.11', source=SOURCE)['source_packages'], [])

    def test_a_number_that_lost_its_zero(self) -> None:
        for version, is_number, told in (('3.1', True, True), ('3.1', False, False), ('3.12', True, False),
                                         ([3.1], False, True), (['3.1'], False, False)):
            with self.subTest(version=version):
                said = self.refused(version=version, is_number=is_number)
                self.assertEqual("the number 3.1, write '3.10'" in said, told)

    def test_a_broken_one(self) -> None:
        with self.assertRaisesRegex(request.Refused, 'python3.11 does not run: oops'):
            python.look({**PARAMS, 'version': '3.11'}, lambda argv: (1, '', 'oops'))

    def test_another_than_its_name_says(self) -> None:
        with self.assertRaisesRegex(request.Refused, 'the node has no python3.11'):
            python.look({**PARAMS, 'version': '3.11'}, lambda argv: (0, '' if 'policy' in argv else '3.12.1', ''))

    def test_bad_input_all_at_once(self) -> None:
        said = self.refused(version='3.11;id', use_pyenv=True, use_stow=True, family='Suse', source={'uris': 'x'})
        for text in ("python_version is '3.11;id'", 'python_use_pyenv and python_use_stow are both true',
                     "family 'Suse'", "ensure_python_source.uris is 'x'", "ensure_python_source.suites is ''",
                     'ensure_python_source.signed_by: it is no armoured public key'):
            self.assertIn(text, said)

    def test_not_there_in_the_end(self) -> None:
        self.assertIn('it was installed, and python3.12 of that version is not found',
                      self.refused(version='3.12', final=True))

    def test_a_key_file_that_is_not_there(self) -> None:
        self.assertIn("signed_by is '/nonexistent/key'",
                      self.refused(version='3.12', source={**SOURCE, 'signed_by': '/nonexistent/key'}))


class TestStow(Case):
    def setUp(self) -> None:
        super().setUp()
        self.stow = self.folder / 'stow'
        for name in ('python-3.12.9', 'python-3.12.10', 'python-3.1', 'python-3.120.1', 'python-3.14.1t',
                     'other-3.12.11'):
            version = 't' if name.endswith('t') else ''
            self.program(self.stow / name / 'bin' / f"python3.{name.split('.')[1]}{version}")
        (self.stow / 'python-3.12.99').mkdir()

    def plan(self, version: str) -> list[str]:
        return list(self.look(version=version, use_stow=True, stow_dir=str(self.stow))['stow'])

    def test_the_newest_release_is_linked(self) -> None:
        for version, expected in (('3.12', 'python-3.12.10'), ('3.12.9', 'python-3.12.9'), ('3.1', 'python-3.1'),
                                  ('3.14t', 'python-3.14.1t')):
            with self.subTest(version=version):
                self.assertEqual(self.plan(version), [expected])

    def test_what_is_there_needs_no_link(self) -> None:
        self.assertEqual(self.plan('3.11'), [])
        self.assertEqual(self.plan('3.11.2'), [])

    def test_not_there(self) -> None:
        said = self.refused(version='3.14', use_stow=True, stow_dir=str(self.stow))
        self.assertIn('has no python-3.14 with bin/python3.14 (it has: python-3.1, python-3.12.10,', said)
        self.assertIn('it has: none', self.refused(version='3.11.7', use_stow=True))


class TestPyenv(Case):
    def test_no_pyenv(self) -> None:
        self.assertIn('the node has no pyenv: it is not on PATH and not in /nonexistent/bin',
                      self.refused(version='3.12', use_pyenv=True))

    def test_install_then_link(self) -> None:
        root = self.folder / 'pyenv'
        self.program(root / 'bin' / 'pyenv')
        for version, release in (('3.12', '3.12.7'), ('3.14-dev', '3.14-dev'), ('3.11.9', '3.11.9'),
                                 ('3.14t', '3.14.0t')):
            with self.subTest(version=version):
                result = self.look(version=version, use_pyenv=True, pyenv_root=str(root))
                self.assertEqual((result['pyenv'], result['links'], result['pyenv_as_root']), ([version], {}, False))
                command = request.Version(version).command
                path = root / 'versions' / release / 'bin' / command
                self.program(path)
                result = self.look(version=version, use_pyenv=True, pyenv_root=str(root))
                self.assertEqual((result['pyenv'], result['links']), ([], {f'/usr/local/bin/{command}': str(path)}))


if __name__ == '__main__':
    unittest.main()
