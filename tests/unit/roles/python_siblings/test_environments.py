# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from typing import Any

from tests.unit.roles import module_utils

environments = module_utils('python_siblings_environments')
TOX4 = """.tox: install_deps> python -m pip install tox-uv
[testenv:py311]
type = VirtualEnvRunner
set_env =
  PIP_DISABLE_PIP_VERSION_CHECK=1
  A=%(x)s
env_dir = /e/py311
commands = python -m x = y

[testenv:lint]
runner = uv-venv-runner
env_dir = /e/lint

[testenv:locked]
type = UvVenvLockRunner
runner = uv-venv-lock-runner
env_dir = /e/locked

[testenv:.package]
env_dir = /e/.pkg

[testenv:.package-cpython311]
env_dir = /e/.pkg-cpython311

[tox]
tox_root = /x
"""
TOX3 = """tool_x: not an ini line
[tox]
toxinipath = /x
[testenv:py311]
envdir = /e/py311
[testenv:docs]
envdir = /e/docs
"""
NOX = """nox > Running session tests-3.11(dep='1')
nox > Creating virtual environment (virtualenv) using python3.11 in .nox/tests-3-11-dep-1
nox > python -m pip install colorama==0.4.5
nox > Running session uv
\x1b[36mnox > Re-using existing virtual environment at .nox/uv.\x1b[0m
nox > Reusing existing virtual environment at /abs/again.
nox > Creating virtual environment (uv) using python in /abs/in place
nox > Running session plain
hello nox > Creating virtual environment (virtualenv) using python3 in /evil
nox > Creating virtual environment (virtualenv) using python3.11 in .nox/tests-3-11-dep-1
"""


OF_TOX4 = ['py311', 'lint', 'locked']


class TestTox(unittest.TestCase):
    def test_running_again_where_a_lock_rules(self) -> None:
        envs = {env.name: env for env in environments.of_tox(TOX4, '')}
        again = ['run']
        for used, arguments, expected in (
                (['locked'], ['-vv'], again), (['py311', 'locked'], ['--', '-p', 'run'], again), ([], [], []),
                (['py311', 'lint'], [], []), (['locked'], ['-p', 'auto'], []), (['locked'], ['-pauto'], []),
                (['locked'], ['--parallel=2'], []), (['locked'], ['run', '-v'], []), (['locked'], ['p'], [])):
            with self.subTest(used=used, arguments=arguments):
                self.assertEqual(environments.tox_again(arguments, [envs[name] for name in used]), expected)

    def test_environments(self) -> None:
        for text, wanted, expected in ((TOX4, 'py311,lint', OF_TOX4), (TOX4, '', OF_TOX4),
                                       (TOX4, 'ALL', OF_TOX4), (TOX4, 'only-a-label', OF_TOX4),
                                       (TOX3, 'py311', ['py311']), (TOX3, 'ALL', ['py311', 'docs']),
                                       (TOX3, '', ['py311', 'docs']), ('', '', []), ('[tox]\na=b\n', '', [])):
            with self.subTest(text=text[:20], wanted=wanted):
                found = environments.of_tox(text, wanted)
                self.assertEqual([env.name for env in found], expected)
                self.assertTrue(all(env.python == f'/e/{env.name}/bin/python' for env in found))

    def test_the_question(self) -> None:
        for arguments, expected in (
                (('tox', '', '', []), ['tox', '--showconfig']),
                (('/t', 'c.ini', 'a,b', []), ['/t', '-c', 'c.ini', '-e', 'a,b', '--showconfig']),
                (('t', '', '', ['-vv', '-m', 'unit', '-r', '--notest', '--', '-m', 'slow']),
                 ['t', '--showconfig', '-m', 'unit'])):
            with self.subTest(arguments=arguments):
                self.assertEqual(environments.tox_argv(*arguments), expected)


class TestNox(unittest.TestCase):
    def test_environments(self) -> None:
        self.assertEqual([env[:2] for env in environments.of_nox(NOX, '/p')], [
            ('tests-3-11-dep-1', '/p/.nox/tests-3-11-dep-1/bin/python'), ('uv', '/p/.nox/uv/bin/python'),
            ('again', '/abs/again/bin/python'), ('in place', '/abs/in place/bin/python')])

    def test_running_again(self) -> None:
        for version, expected in (('2026.10.20\n', '--reuse-venv=always'), ('2024.03.02', '--reuse-venv=always'),
                                  ('2024.3.1', '-r'), ('2022.1.7', '-r'), ('', '-r')):
            with self.subTest(version=version):
                self.assertEqual(environments.nox_again(version), [expected, '--no-install'])


class TestArguments(unittest.TestCase):
    def test_what_throws_environments_away(self) -> None:
        for runner, arguments, expected in (
                ('tox', ['-vv', '-r', '--recreate', '--', '-r'], ['-vv', '--', '-r']),
                ('tox', ['--', 'a', '--', 'b'], ['--', 'a', '--', 'b']), ('tox', [], []),
                ('nox', ['-v', '-R', '--reuse-venv', 'never', '--reuse-venv=no', '-x'], ['-v', '-x']),
                ('nox', ['-N', '--', '-N'], ['--', '-N'])):
            with self.subTest(arguments=arguments):
                self.assertEqual(environments.kept(arguments, runner), expected)


class TestDistributions(unittest.TestCase):
    def test_of_this_python(self) -> None:
        def run(argv: list[str], cwd: str) -> tuple[int, str, str]:
            done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr
        found = environments.distributions(environments.Environment('own', sys.executable), run)
        self.assertIn('ansible-core', found)
        self.assertTrue(os.path.isdir(found['ansible-core'].location))

    def test_names_and_sources(self) -> None:
        def run(*_: Any, **__: Any) -> tuple[int, str, str]:
            return 0, ('a warning\n{"My_Lib": ["1", "/v/site", "file:///with%20blank/lib"], '
                       '"other": ["2", "/v/site", "https://example.org/x"], "old": ["3", "/src/old/lib", null]}\n'), ''
        found = environments.distributions(environments.Environment('x', '/x'), run)
        self.assertTrue(found['my-lib'].is_from('/with blank/lib'))
        self.assertEqual(found['other'].source, '')
        self.assertTrue(found['old'].is_from('/src/old'))
        self.assertFalse(found['old'].is_from('/src/ol'))

    def test_a_python_that_fails(self) -> None:
        with self.assertRaisesRegex(environments.Refused, '/x does not tell what is installed: no'):
            environments.distributions(environments.Environment('x', '/x'), lambda *_, **__: (1, '', 'no'))

    def test_links_do_not_hide_a_source(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            real = os.path.join(os.path.realpath(folder), 'real')
            os.mkdir(real)
            os.symlink(real, real + '-link')
            self.assertTrue(environments.Distribution('1', '/v', real).is_from(real + '-link'))


if __name__ == '__main__':
    unittest.main()
