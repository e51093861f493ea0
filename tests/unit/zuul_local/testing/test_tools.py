from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import yaml

from zuul_local import paths
from zuul_local.testing import tools as commands
from zuul_local.testing.parts import PARTS
from zuul_local.testing.tools import Tools

TOOLS = Tools(Path('/venv'), Path('/collections'))


class TestCommands(unittest.TestCase):
    def test_linters_see_the_python_of_roles(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, f'roles/do-thing/{kind}/do_{kind}.py') for kind in sorted(commands.CODE)]
            for file in files:
                file.parent.mkdir(parents=True)
                file.touch()
            self.assertEqual(commands.linters(TOOLS, Path(folder))['mypy'], (
                '/venv/bin/mypy', 'zuul_local', 'bench', 'tests', *(str(file.relative_to(folder)) for file in files)))
            env = commands.environment(TOOLS, Path(folder), {'PATH': '/bin', 'HTTP_PROXY': 'p'})
            self.assertEqual(env['MYPYPATH'], ':'.join(str(file.parent) for file in files))
            for kind, variable in commands.CODE.items():
                self.assertEqual(env[variable], f'{folder}/roles/do-thing/{kind}')
        self.assertEqual((env['PATH'], env['HTTP_PROXY'], env['PYTHONPATH']), ('/venv/bin:/bin', 'p', folder))

    def test_stestr_runs_the_part_that_was_asked_for(self) -> None:
        argv = commands.stestr(TOOLS, 'functional', 1)
        self.assertEqual(argv[argv.index('--test-path') + 1], 'tests/functional')
        self.assertEqual(argv[-2:], ('--concurrency', '1'))

    def test_warnings_of_the_documentation_are_errors(self) -> None:
        self.assertIn('-W', commands.sphinx(TOOLS))


class TestAgreement(unittest.TestCase):
    """The parts are named at several places; all must mean the same."""

    def test_the_budget_has_a_figure_for_each_part(self) -> None:
        budget = yaml.safe_load((paths.LIBRARY / 'tests/budget.yaml').read_text())
        self.assertEqual(list(budget), list(PARTS))
        self.assertTrue(all(seconds > 0 for seconds in budget.values()))

    def test_tox_has_an_environment_for_each_part(self) -> None:
        text = (paths.LIBRARY / 'tox.ini').read_text()
        for name in PARTS:
            self.assertIn(f'[testenv:{name}]\ncommands = {{toxinidir}}/zuul-local test {name}\n', text)

    def test_continuous_integration_runs_the_command_of_the_readme(self) -> None:
        readme = (paths.LIBRARY / 'README.rst').read_text()
        self.assertIn('\n   ./zuul-local test\n', readme)
        self.assertIn('\nexec ./zuul-local test\n', (paths.LIBRARY / '.ci/run').read_text())

    def test_the_readme_starts_with_the_example_project(self) -> None:
        readme = (paths.LIBRARY / 'README.rst').read_text()
        commands_shown = [line.strip() for line in readme.splitlines() if 'zuul-local run' in line]
        self.assertEqual(commands_shown[0], 'cd examples/hello-tox && ../../zuul-local run tox-py311')
        self.assertIn('envlist = ', (paths.LIBRARY / 'examples/hello-tox/tox.ini').read_text())
        self.assertIn('- tox-py311', (paths.LIBRARY / 'examples/hello-tox/.zuul.yaml').read_text())
