# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

siblings = library('tox', 'tox_install_sibling_packages')
TOX4 = """[testenv:py311]
type = VirtualEnvRunner
set_env =
  PIP_DISABLE_PIP_VERSION_CHECK=1
  A=%(x)s
env_dir = {root}/py311
commands = python -m x = y

[testenv:lint]
env_dir = {root}/lint

[testenv:.package]
env_dir = {root}/.pkg

[tox]
tox_root = /x
"""
TOX3 = """tool_x: not an ini line
[tox]
toxinipath = /x
[testenv:py311]
envdir = {root}/py311
[testenv:docs]
envdir = {root}/docs
"""


class TestReading(unittest.TestCase):
    def test_environments(self) -> None:
        for text, wanted, expected in ((TOX4, 'py311,lint', ['py311', 'lint']), (TOX4, '', ['py311', 'lint']),
                                       (TOX4, 'ALL', ['py311', 'lint']), (TOX3, 'py311', ['py311']), ('', '', []),
                                       ('[tox]\na=b\n', '', [])):
            with self.subTest(text=text[:20], wanted=wanted):
                found = siblings.environments(text.format(root='/e'), wanted)
                self.assertEqual([env.name for env in found], expected)
                self.assertTrue(all(env.python == f'/e/{env.name}/bin/python' for env in found))

    def test_names(self) -> None:
        for files, expected in (
                ({}, None),
                ({'setup.cfg': '[metadata]\nname = my-lib\n'}, 'my-lib'),
                ({'setup.cfg': 'broken'}, None),
                ({'pyproject.toml': '[build-system]\nname = "no"\n[project]\nversion = "1"\nname = "my.lib" # yes\n'},
                 'my.lib'),
                ({'setup.py': 'import setuptools\nsetuptools.setup(version="1", name="one")\n'}, 'one'),
                ({'setup.py': 'from setuptools import setup\nNAME = "two"\nsetup(name=NAME)\n'}, None),
                ({'setup.py': 'print "old"\n'}, None),
                ({'setup.cfg': '[metadata]\nname = cfg\n', 'setup.py': 'setup(name="py")\n'}, 'cfg'),
                ({'pyproject.toml': "[tool.poetry]\nname = 'p'\n"}, 'p'),
                ({'pyproject.toml': '[tool.ruff]\nname = "no"\n', 'setup.cfg': '[metadata]\nname: cfg\n'}, 'cfg')):
            with self.subTest(files=files):
                self.assertEqual(siblings.static_name(files), expected)

    def test_constraints(self) -> None:
        text = 'Lib_One===1.0\nlib-one-extra==2\n# lib-one\nother==3;python_version>"3"\nlib.one==2'
        self.assertEqual(siblings.constraints_without(text, ['lib-one']),
                         'lib-one-extra==2\n# lib-one\nother==3;python_version>"3"\n')

    def test_the_question_to_tox(self) -> None:
        self.assertEqual(siblings.config_argv('tox', '', ''), ['tox', '--showconfig'])
        self.assertEqual(siblings.config_argv('/t', 'c.ini', 'a,b'), ['/t', '-c', 'c.ini', '-e', 'a,b', '--showconfig'])


class TestInstall(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for env in ('py311', 'lint', '.pkg'):
            (self.root / env / 'bin').mkdir(parents=True)
            (self.root / env / 'bin' / 'python').touch()
        for name, file, text in (('lib', 'pyproject.toml', '[project]\nname = "the_lib"\n'), ('old', 'setup.py', 'x'),
                                 ('data', 'README', ''), ('unused', 'setup.cfg', '[metadata]\nname = unused\n')):
            (self.root / name).mkdir()
            (self.root / name / file).write_text(text, encoding='utf-8')
        self.present = {'py311': ['The.Lib', 'old-one', 'pip'], 'lint': ['the-lib']}
        self.pip: list[list[str]] = []
        self.constraints: list[str] = []
        self.pip_result = (0, '', '')

    def run_(self, argv: list[str], cwd: str) -> tuple[int, str, str]:
        if '--showconfig' in argv:
            return 0, TOX4.format(root=self.root), ''
        if argv[1] == 'setup.py':
            return 0, 'warning\nOld_One\n', ''
        if argv[1] == '-c':
            return 0, json.dumps(self.present[Path(argv[0]).parents[1].name]), ''
        self.pip.append(argv)
        if '--constraint' in argv:
            self.constraints.append(Path(argv[argv.index('--constraint') + 1]).read_text(encoding='utf-8'))
        return self.pip_result

    def install(self, check_mode: bool = False, **changes: Any) -> dict[str, Any]:
        params = {'tox_executable': 'tox', 'tox_config_file': '', 'tox_envlist': '', 'tox_package_name': '',
                  'tox_constraints_file': '', 'project_dir': str(self.root),
                  'siblings': [str(self.root / name) for name in ('lib', 'old', 'data', 'unused')]}
        return siblings.install({**params, **changes}, self.run_, check_mode)

    def test_every_environment_gets_what_it_uses(self) -> None:
        result = self.install()
        self.assertEqual(result, {'changed': True, 'installed': {'py311': ['old-one', 'the-lib'], 'lint': ['the-lib']},
                                  'no_package': [str(self.root / 'data')], 'not_used': ['unused']})
        self.assertEqual(self.pip[0][-2:], [str(self.root / 'old'), str(self.root / 'lib')])
        self.assertEqual(self.pip[1][0], str(self.root / 'lint' / 'bin' / 'python'))
        self.assertEqual(self.pip[1][-1], str(self.root / 'lib'))

    def test_the_tested_project_is_no_sibling(self) -> None:
        self.assertEqual(self.install(tox_package_name='The-Lib')['installed'], {'py311': ['old-one']})

    def test_constraints_do_not_hold_siblings_back(self) -> None:
        file = self.root / 'constraints.txt'
        file.write_text('the-lib==1\nold-one==2\nother==3\n', encoding='utf-8')
        self.install(tox_constraints_file=str(file))
        self.assertEqual(self.constraints, ['other==3\n', 'old-one==2\nother==3\n'])

    def test_check_mode(self) -> None:
        self.assertTrue(self.install(check_mode=True)['changed'])
        self.assertEqual(self.pip, [])

    def test_failures(self) -> None:
        with self.assertRaisesRegex(siblings.Refused, 'is not on the node'):
            self.install(siblings=[str(self.root / 'nowhere')])
        self.pip_result = (1, '', 'ERROR: no')
        with self.assertRaisesRegex(siblings.Refused, r'py311: pip cannot install .*\nERROR: no'):
            self.install()


if __name__ == '__main__':
    unittest.main()
