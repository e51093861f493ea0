# SPDX-License-Identifier: Apache-2.0
"""How the documentation of a project is built, and what is refused."""
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('sphinx', 'sphinx_plan')


class PlanTest(unittest.TestCase):
    def setUp(self) -> None:
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder, self.program = self.top / 'project', self.top / 'venv/bin/sphinx-build'
        (self.folder / 'doc/source').mkdir(parents=True)
        (self.folder / 'doc/source/conf.py').touch()
        self.program.parent.mkdir(parents=True)
        self.program.touch()
        self.program.chmod(0o755)

    def plan(self, **other: Any) -> Any:
        return module.plan({
            'folder': str(self.folder), 'source': 'doc/source', 'build': 'doc/build', 'builders': ['html'],
            'venv': str(self.top / 'venv'), 'warning_is_error': '', 'catalogue': '', 'fresh': False,
            'role': 'sphinx', **other})

    def refused(self, **other: Any) -> str:
        with self.assertRaises(module.Refused) as caught:
            self.plan(**other)
        return str(caught.exception)

    def test_a_command_for_each_builder(self) -> None:
        self.assertEqual(self.plan(builders=['html', 'linkcheck'])['commands'], [
            [str(self.program), '-b', builder, '-d', 'doc/build/doctrees', 'doc/source', f'doc/build/{builder}']
            for builder in ('html', 'linkcheck')])

    def test_what_the_project_says_about_warnings(self) -> None:
        for text, asked, expected in (
                ('', '', False), ('[build_sphinx]\nwarning-is-error = 1\n', '', True), ('', 'True', True),
                ('[build_sphinx]\nwarning_is_error = on\n', '', True), ('[pbr]\nwarnerrors = true\n', '', True),
                ('[build_sphinx]\nwarning-is-error = 0\n[pbr]\nwarnerrors = true\n', '', False),
                ('[build_sphinx]\nwarning-is-error = 1\n', 'False', False), ('[build_sphinx]\nwarning-is-error\n',
                                                                             '', False),
                ('[build_sphinx\nnonsense', '', False), ('[a]\nb = 1\n[a]\nb = %(c)s\n[pbr]\nwarnerrors = yes\n', '',
                                                         True)):
            (self.folder / 'setup.cfg').write_text(text)
            with self.subTest(text=text, asked=asked):
                made = self.plan(warning_is_error=asked)
                self.assertIs(made['warning_is_error'], expected)
                self.assertEqual('-W' in made['commands'][0], expected)
                self.assertEqual('--keep-going' in made['commands'][0], expected)

    def test_pages_of_modules(self) -> None:
        for text, expected in (('[pbr]\nautodoc_index_modules = True\n', True), ('[pbr]\nautodoc-tree-index-modules '
                                                                                 '= 1\n', True),
                               ('[pbr]\nautodoc_index_modules = False\n', False), ('', False)):
            (self.folder / 'setup.cfg').write_text(text)
            self.assertIs(self.plan()['autodoc'], expected)

    def test_languages_that_are_translated(self) -> None:
        for name in ('de/LC_MESSAGES/releasenotes.po', 'pt_BR/LC_MESSAGES/releasenotes.po', 'fr/LC_MESSAGES/other.po',
                     '-D x/LC_MESSAGES/releasenotes.po'):
            path = self.folder / 'doc/source/locale' / name
            path.parent.mkdir(parents=True)
            path.touch()
        made = self.plan(catalogue='releasenotes', fresh=True)['commands']
        self.assertEqual([one[-1] for one in made], ['doc/build/html', 'doc/build/html/de', 'doc/build/html/pt_BR'])
        self.assertEqual(made[1], [str(self.program), '-b', 'html', '-d', 'doc/build/doctrees/de', '-a', '-E', '-D',
                                   'language=de',
                                   'doc/source', 'doc/build/html/de'])
        self.assertEqual(len(self.plan()['commands']), 1)

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        said = self.refused(source='/etc', build='../../out', builders=['html', '-c/etc'], warning_is_error='maybe',
                            venv=str(self.top / 'none'))
        for line in ('cannot continue, 5 problems:', "sphinx_source_dir is '/etc': it leads out of the project",
                     "sphinx_build_dir is '../../out': it leads out", "sphinx_builders is ['html', '-c/etc']",
                     "sphinx_warning_is_error is 'maybe'", 'it has no bin/sphinx-build. Call the role ensure-sphinx'):
            self.assertIn(line, said)
        self.assertIn('sphinx_builders is []', self.refused(builders=[]))
        self.assertIn('it has no conf.py', self.refused(source='doc'))
        self.assertIn('there is no such folder', self.refused(folder=str(self.top / 'none')))
        (self.folder / 'out').symlink_to(self.top)
        self.assertIn("sphinx_build_dir is 'out': it leads out", self.refused(build='out'))


if __name__ == '__main__':
    unittest.main()
