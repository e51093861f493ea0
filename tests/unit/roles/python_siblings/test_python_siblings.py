# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

siblings = library('python-siblings', 'python_siblings')
TOX = """[testenv:py311]
env_dir = {root}/py311

[testenv:lint]
env_dir = {root}/lint

[testenv:docs]
env_dir = {root}/never-made
"""
Installed = dict[str, dict[str, list[Any]]]


class Nodes(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for env in ('py311', 'lint'):
            (self.root / env / 'bin').mkdir(parents=True)
            (self.root / env / 'bin' / 'python').touch()
        for name, file, text in (('lib', 'pyproject.toml', '[project]\nname = "the_lib"\n'), ('old', 'setup.py', 'x'),
                                 ('data', 'README', ''), ('unused', 'setup.cfg', '[metadata]\nname = unused\n'),
                                 ('app', 'pyproject.toml', '[project]\nname = "App"\n')):
            (self.root / name).mkdir()
            (self.root / name / file).write_text(text, encoding='utf-8')
        self.present: Installed = {
            'py311': {'The.Lib': ['1', '/s', None], 'old-one': ['1', '/s', None], 'pip': ['23.0', '/s', None]},
            'lint': {'the-lib': ['1', '/s', None], 'pip': ['23.0', '/s', None]}}
        self.brings: Installed = {}
        self.pip: list[list[str]] = []
        self.constraints: list[str] = []
        self.pip_result = (0, '', '')

    def run_(self, argv: list[str], cwd: str) -> tuple[int, str, str]:
        if '--showconfig' in argv:
            return 0, TOX.format(root=self.root), ''
        if argv[1:] == ['--version']:
            return 0, '', '2026.1.1\n'
        if argv[1] == 'setup.py':
            return 0, 'warning\nOld_One\n', ''
        env = Path(argv[0]).parents[1].name
        if '-c' in argv:
            return 0, json.dumps(self.present[env]), ''
        self.pip.append(argv)
        if '--constraint' in argv:
            self.constraints.append(Path(argv[argv.index('--constraint') + 1]).read_text(encoding='utf-8'))
        if self.pip_result[0] == 0:
            names = {str(self.root / 'lib'): 'the-lib', str(self.root / 'old'): 'old-one',
                     str(self.root / 'app'): 'app'}
            self.present[env] = {name: value for name, value in self.present[env].items() if name in ('pip', 'app')}
            for folder in argv:
                if folder in names:
                    self.present[env][names[folder]] = ['2', '/s', f'file://{folder}']
            self.present[env] = {**self.brings.get(env, {}), **self.present[env]}
        return self.pip_result

    def params(self, **changes: Any) -> dict[str, Any]:
        params = {'runner': 'tox', 'executable': 'tox', 'config_file': '', 'envlist': '', 'arguments': '-vv -r',
                  'output': '', 'package_name': '', 'constraints': '', 'editable': False,
                  'project_dir': str(self.root / 'app'),
                  'siblings': [str(self.root / name) for name in ('lib', 'old', 'data', 'unused')], 'expected': {}}
        return {**params, **changes}

    def install(self, check_mode: bool = False, settings: dict[str, str] | None = None,
                **changes: Any) -> dict[str, Any]:
        return siblings.install(self.params(**changes), self.run_, check_mode, settings or {})


class TestInstall(Nodes):
    def test_every_environment_gets_what_it_uses(self) -> None:
        result = self.install()
        lib, old = str(self.root / 'lib'), str(self.root / 'old')
        self.assertEqual(result, {
            'changed': True, 'installed': {'py311': ['old-one', 'the-lib'], 'lint': ['the-lib']},
            'sources': {str(self.root / 'py311/bin/python'): {'old-one': old, 'the-lib': lib},
                        str(self.root / 'lint/bin/python'): {'the-lib': lib}},
            'no_package': [str(self.root / 'data')], 'not_used': ['unused'], 'arguments': ['-vv']})
        self.assertEqual(self.pip[0][-2:], [old, lib])
        self.assertEqual(self.pip[1][0], str(self.root / 'lint' / 'bin' / 'python'))
        self.assertEqual(self.pip[1][-1], lib)

    def test_sessions_of_nox(self) -> None:
        result = self.install(runner='nox', executable='nox', arguments='-v -- a', output=(
            f'nox > Creating virtual environment (virtualenv) using python3 in {self.root}/lint\n'))
        self.assertEqual(result['installed'], {'lint': ['the-lib']})
        self.assertEqual(result['arguments'], ['--reuse-venv=always', '--no-install', '-v', '--', 'a'])

    def test_the_tested_project_is_no_sibling(self) -> None:
        self.present['lint']['app'] = ['1', '/s', None]
        result = self.install(siblings=[str(self.root / name) for name in ('app', 'lib')])
        self.assertEqual(result['installed'], {'py311': ['the-lib'], 'lint': ['the-lib']})

    def test_the_name_of_the_tested_project_can_be_told(self) -> None:
        self.assertEqual(self.install(package_name='The-Lib')['installed'], {'py311': ['old-one']})

    def test_constraints_do_not_hold_siblings_back(self) -> None:
        for name, text in (('constraints.txt', 'the-lib==1\nold-one==2\nother==3\n'),
                           ('more.txt', 'unused==1\nmore==4')):
            (self.root / name).write_text(text, encoding='utf-8')
        addresses = {name: f'{name} @ file://{self.root}/{folder}\n'
                     for name, folder in (('unused', 'unused'), ('old-one', 'old'))}
        self.install(constraints=str(self.root / 'constraints.txt'),
                     settings={'PIP_CONSTRAINT': f'{self.root}/more.txt {self.root}/constraints.txt'})
        self.assertEqual(self.constraints, ['other==3\nmore==4\n' + addresses['unused'],
                                            'other==3\nmore==4\n' + addresses['old-one'] + addresses['unused']])

    def test_one_that_a_sibling_brings_in_counts(self) -> None:
        self.brings = {'lint': {'unused': ['2', '/s', f'file://{self.root}/unused']}}
        self.assertEqual(self.install()['installed']['lint'], ['the-lib', 'unused'])
        self.brings = {'lint': {'unused': ['2', '/s', None]}}
        with self.assertRaisesRegex(siblings.Refused, 'environment lint: unused 2 was not installed from .*/unused'):
            self.install()

    def test_an_old_pip_is_asked_twice(self) -> None:
        self.present['lint']['pip'] = ['20.3', '/s', None]
        self.brings = {'lint': {'old-one': ['2', '/s', None]}}
        self.install()
        self.assertEqual([call[-1] for call in self.pip[1:]], [str(self.root / 'lib')] * 2)
        self.assertIn(str(self.root / 'old'), self.pip[2])

    def test_check_mode(self) -> None:
        self.assertTrue(self.install(check_mode=True)['changed'])
        self.assertEqual(self.pip, [])

    def test_all_environments_are_told(self) -> None:
        self.pip_result = (1, f'Processing {self.root}/lib\n', 'error: no')
        with self.assertRaises(siblings.Refused) as caught:
            self.install()
        text = str(caught.exception)
        for env in ('py311', 'lint'):
            self.assertIn(f'environment {env}: pip cannot install {self.root}/lib:\n', text)

    def test_projects_that_cannot_be(self) -> None:
        (self.root / 'odd').mkdir()
        (self.root / 'odd' / 'setup.py').write_text('setup(name=x)', encoding='utf-8')

        def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
            return (1, '', 'it has no setuptools') if cwd.endswith('odd') else self.run_(argv, cwd)
        with self.assertRaises(siblings.Refused) as caught:
            siblings.install(self.params(siblings=[str(self.root / 'nowhere'), str(self.root / 'odd')]), run, False, {})
        self.assertRegex(str(caught.exception), '(?s)/nowhere: the required project is not on the node\n  - .*/odd: '
                         'setup.py does not tell the name of the package.*it has no setuptools')

    def test_pip_tells_a_name(self) -> None:
        def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
            if '--report' in argv:
                return 0, '{"install": [{"metadata": {"name": "Of_Report"}}]}', ''
            return 1, '', 'no setuptools'
        self.assertEqual(siblings.package_name(str(self.root / 'old'), 'python', run), 'of-report')

    def test_tox_that_fails(self) -> None:
        with self.assertRaisesRegex(siblings.Refused, 'tox does not tell its configuration: broken'):
            siblings.install(self.params(), lambda *_, **__: (1, '', 'broken'), False, {})


class TestCheck(Nodes):
    def test_what_was_lost_is_told(self) -> None:
        result = self.install()
        params = self.params(expected=result['sources'])
        self.assertEqual(siblings.check(params, self.run_)['sources'], result['sources'])
        # an index leaves no trace of where it is from
        self.present['lint']['the-lib'] = ['1', '/s', None]
        del self.present['py311']['old-one']
        with self.assertRaises(siblings.Refused) as caught:
            siblings.check(params, self.run_)
        self.assertRegex(str(caught.exception), '(?s)/py311: the tests ran with none of old-one and not with .*/old: '
                         'tox installed anew.*/lint: the tests ran with version 1 from somewhere else of the-lib')

    def test_where_nothing_told_the_source_it_must_be_there(self) -> None:
        python = next(iter(self.install()['sources']))
        params = self.params(expected={python: {'the-lib': ''}})
        env = Path(python).parent.parent.name
        self.present[env]['the-lib'] = ['1', '/s', None]
        self.assertTrue(siblings.check(params, self.run_))
        del self.present[env]['the-lib']
        with self.assertRaisesRegex(siblings.Refused, 'ran with none of the-lib and not with its source: tox'):
            siblings.check(params, self.run_)


if __name__ == '__main__':
    unittest.main()
