# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from jinja2 import Environment

from tests.unit.roles import ROLES, library, module_utils

pip = library('ensure-pip', 'ensure_pip_missing')
interpreters = module_utils('ensure_pip_interpreters')
UPSTREAM = 'https://bootstrap.pypa.io/get-pip.py'


def platform(family: str, major: str = '') -> dict[str, Any]:
    """The parameters that the role takes from vars/ on a platform."""
    said = yaml.safe_load((ROLES / 'ensure-pip' / 'vars' / f'{family}.yaml').read_text())
    suffixes = Environment(autoescape=True).from_string(str(said.get('__ensure_pip_suffixes', '{}'))).render(
        ansible_facts={'distribution_major_version': major})
    return {'packages': said['__ensure_pip_packages'],
            'suffixes': json.loads(suffixes.replace('&#39;', '"').replace("'", '"'))}


PARAMS = {'from_packages': True, 'with_python2': False, 'from_upstream': False, 'interpreters': [], 'url': UPSTREAM,
          'sha256': [], 'known': '', 'cache': '/nonexistent', 'platform': 'Debian 12', **platform('Debian')}


class Node:
    """Interpreters that answer what they are told to; a package owns those in *owned*."""

    def __init__(self, folder: str, **answers: dict[str, Any]) -> None:
        self.bin = Path(folder)
        self.answers = answers
        self.owned: list[str] = []
        for name in (*answers, 'dpkg-query'):
            path = self.bin / name
            path.write_text('')
            path.chmod(0o755)

    def run(self, argv: list[str]) -> tuple[int, str, str]:
        name = Path(argv[0]).name
        if name == 'dpkg-query':
            file = Path(argv[-1]).name
            return (0, f'lib{file}: {argv[-1]}', '') if file in self.owned else (1, '', '')
        answer = self.answers[name]
        if argv[2:4] == ['-m', 'pip']:
            return answer.get('pip works', 0), 'pip 1', ''
        if 'words' in answer:
            return 1, '', answer['words']
        said = {'version': [3, 11], 'prefix': str(self.bin), 'in_venv': False, 'marked': False, 'missing': [],
                'folders': [str(self.bin)], 'wheels': [], **answer}
        said.pop('pip works', None)
        return 0, json.dumps(said), ''


class TestEnsurePip(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = folder.name
        environment = mock.patch.dict(os.environ, {'PATH': self.bin})
        environment.start()
        self.addCleanup(environment.stop)

    def ask(self, node: Node, **changes: Any) -> dict[str, Any]:
        return pip.ask({**PARAMS, **changes}, node.run, f'{self.bin}/python3')

    def refused(self, node: Node, **changes: Any) -> str:
        with self.assertRaises(interpreters.Refused) as caught:
            self.ask(node, **changes)
        return str(caught.exception)

    def test_package_names(self) -> None:
        everything = ['pip', 'venv', 'ensurepip', 'packaging or setuptools']
        for family, major, version, is_default, expected in (
                ('Debian', '12', '3.11', True, ['python3-packaging', 'python3-pip', 'python3-venv']),
                ('Debian', '22', '3.12', False, ['python3-packaging', 'python3-pip', 'python3.12-venv']),
                ('RedHat', '9', '3.9', True, ['python3-libs', 'python3-pip', 'python3-setuptools']),
                ('RedHat', '9', '3.11', False, ['python3.11-libs', 'python3.11-pip', 'python3.11-setuptools']),
                ('RedHat', '8', '3.9', True, ['python39-libs', 'python39-pip', 'python39-setuptools']),
                ('RedHat', '8', '3.12', False, ['python3.12-libs', 'python3.12-pip', 'python3.12-setuptools']),
                ('RedHat', '10', '3.12', True, ['python3-libs', 'python3-pip', 'python3-setuptools']),
                ('Suse', '15', '3.11', False, ['python311', 'python311-base', 'python311-pip', 'python311-setuptools']),
                ('Suse', '20', '3.13', True, ['python313', 'python313-base', 'python313-pip', 'python313-setuptools'])):
            with self.subTest(family=family, major=major, version=version):
                self.assertEqual(pip.package_names(everything, version, is_default, platform(family, major)), expected)

    def test_what_is_missing_comes_from_packages(self) -> None:
        for missing, expected in (([], []), (['pip'], ['python3-pip']), (['ensurepip'], ['python3.11-venv']),
                                  (['pip', 'packaging or setuptools'], ['python3-packaging', 'python3-pip'])):
            with self.subTest(missing=missing):
                result = self.ask(Node(self.bin, python3={'missing': missing, 'marked': True}))
                self.assertEqual((result['missing'], result['packages']), (missing, expected))
                self.assertEqual(result['virtualenv_command'], 'python3 -m venv')

    def test_two_pythons_of_the_system(self) -> None:
        node = Node(self.bin, python3={'missing': ['pip', 'packaging or setuptools'], 'marked': True},
                    other={'marked': True, 'prefix': '/other'})
        result = pip.ask(PARAMS, node.run, f'{self.bin}/other')
        self.assertEqual((result['packages'], result['virtualenv_command']),
                         (['python3-pip'], f'{self.bin}/other -m venv'))
        node.answers['python3'] = {'version': [3, 6]}
        self.assertEqual(pip.ask(PARAMS, node.run, f'{self.bin}/other')['packages'], [])

    def test_refusals(self) -> None:
        system = Node(self.bin, python3={'missing': ['pip'], 'marked': True})
        own = Node(self.bin, python3={'missing': ['pip']})
        for node, changes, expected in (
                (system, {'from_packages': False}, 'lacks pip, and ensure_pip_from_packages is false'),
                (system, {'packages': {}, 'platform': 'Void 1'}, "packages of the platform 'Void 1' are not known"),
                (own, {}, 'it is no Python of the distribution'),
                (system, {'with_python2': True}, 'ensure_pip_from_packages_with_python2 is true'),
                (system, {'from_upstream': True}, 'ensure_pip_from_upstream_interpreters is empty'),
                (system, {'from_upstream': True, 'interpreters': ['python3'], 'url': 'ftp://x/y'},
                 "ensure_pip_from_upstream_url is 'ftp://x/y'"),
                (system, {'from_upstream': True, 'interpreters': ['python3'], 'sha256': ['x']},
                 "ensure_pip_from_upstream_sha256 has 'x'")):
            with self.subTest(expected=expected):
                self.assertIn(expected, self.refused(node, **changes))
        # nothing missing: nothing to know about the platform
        self.assertEqual(self.ask(Node(self.bin, python3={}), packages={})['packages'], [])

    def test_no_environments_without_packages(self) -> None:
        node = Node(self.bin, python3={'missing': ['ensurepip'], 'marked': True}, mine={'prefix': '/mine'})
        self.assertIn('virtual environments cannot be made',
                      self.refused(node, from_packages=False, from_upstream=True, interpreters=['mine']))

    def test_one_of_several_lacks_pip(self) -> None:
        node = Node(self.bin, python3={'marked': True}, one={'prefix': '/1'}, two={'prefix': '/2', 'missing': ['pip']},
                    three={'prefix': '/3', 'missing': ['pip'], 'folders': ['/proc/1']},
                    four={'prefix': '/4', 'pip works': 1}, five={'prefix': '/5', 'missing': ['pip'], 'in_venv': True,
                                                                 'marked': True})
        with mock.patch.object(pip, 'is_writable', lambda one: not one.path.endswith('three')):
            result = self.ask(node, from_upstream=True, interpreters=['one', 'two', 'three', f'{self.bin}/four', 'five',
                                                                      'two'])
        self.assertEqual(result['own'], [f'{self.bin}/{name}' for name in ('two', 'four', 'five')])
        self.assertEqual(result['root'], [f'{self.bin}/three'])
        self.assertEqual(self.ask(node, from_upstream=False, interpreters=['two'])['own'], [])

    def test_all_interpreters_are_told_at_once(self) -> None:
        node = Node(self.bin, python3={'marked': True}, marked={'marked': True, 'missing': ['pip']},
                    owned={'missing': ['pip']}, usr={'prefix': '/usr', 'missing': ['pip']}, old={'version': [3, 7]},
                    broken={'words': 'Unknown option: -I'}, fine={'missing': ['pip']})
        node.owned = ['owned']
        said = self.refused(node, from_upstream=True,
                            interpreters=['marked', 'owned', 'usr', 'old', 'broken', 'fine', '-c', 'absent'])
        for text in ("'marked' lacks pip, and pip never writes to a Python of the system (it is marked",
                     f'package libowned owns {self.bin}/owned', "lies in /usr, which is the distribution's",
                     "'old' is Python 3.7", "'broken' does not run: Unknown option: -I", "'-c' is no interpreter",
                     "'absent' is no interpreter"):
            self.assertIn(text, said)
        self.assertNotIn("'fine'", said)

    def test_an_own_python_is_filled(self) -> None:
        result = self.ask(Node(self.bin, python3={'missing': ['pip']}), from_upstream=True, interpreters=['python3'])
        self.assertEqual((result['packages'], result['own']), ([], [f'{self.bin}/python3']))

    def test_an_address_is_tried_before_anything_changes(self) -> None:
        script = Path(self.bin, 'script')
        script.write_text('print()')
        node = Node(self.bin, python3={'missing': ['pip']})
        self.assertIn("set ensure_pip_from_upstream_sha256: '", self.refused(
            node, from_upstream=True, interpreters=['python3'], url=f'file://{script}'))


class TestInterpreters(unittest.TestCase):
    def test_the_question_can_be_answered(self) -> None:
        def run(argv: list[str]) -> tuple[int, str, str]:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
            return done.returncode, done.stdout, done.stderr
        seen = interpreters.look_at(sys.executable, run)
        self.assertEqual((seen.version, seen.prefix), ('.'.join(map(str, sys.version_info[:2])), sys.prefix))
        self.assertLessEqual(set(seen.missing), set(PARAMS['packages']))
        self.assertEqual(seen.in_venv, sys.prefix != sys.base_prefix)

    def test_what_is_no_python(self) -> None:
        for answer in ('', 'hello', '[]', '3', '{"version": 3}'):
            with self.subTest(answer=answer), self.assertRaisesRegex(interpreters.Refused, 'is no Python: it answers'):
                interpreters.look_at('/bin/sh', lambda argv, answer=answer: (0, answer, ''))

    def test_writable(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for folders, expected in (([folder], True), ([f'{folder}/a/b'], True), ([folder, '/proc/1/x'], False)):
                with self.subTest(folders=folders):
                    one = interpreters.Interpreter('/x', '3.11', folders=tuple(folders))
                    self.assertEqual(interpreters.is_writable(one), expected)

    def test_credentials_are_not_shown(self) -> None:
        for text, expected in (('at https://u:p@h/x and', 'at https://h/x and'), ('https://h/a@b', 'https://h/a@b'),
                               ("'http://token@h'", "'http://h'")):
            self.assertEqual(interpreters.without_credentials(text), expected)


if __name__ == '__main__':
    unittest.main()
