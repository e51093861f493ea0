# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils

packages = library('ensure-python-command', 'ensure_python_packages')
index = module_utils('ensure_python_command_index')
locks = module_utils('ensure_python_command_lock')
marker_environment = module_utils('ensure_python_command_pep440').marker_environment
LOCKS = {'sphinx': 'sphinx==7.1.2 \\\n    --hash=sha256:aa\nhelper==1 \\\n    --hash=sha256:bb\n'}


def wanted(**changes: Any) -> Any:
    return packages.Wanted('/v', 'python3', ('sphinx',), (), '', '')._replace(**changes)


class TestProblems(unittest.TestCase):
    def problems(self, **changes: Any) -> list[str]:
        good = {'venv_path': '/nonexistent/venv', 'python': 'sh', 'packages': [], 'requirements': [], 'constraints': ''}
        found: list[str] = packages.problems({**good, **changes})
        return found

    def test_requirements(self) -> None:
        for package, good in (
                ('sphinx', True), ('sphinx<8', True), (' sphinx >= 7, != 7.3 ', True), ('sphinx[test,docs]>=7', True),
                ('sphinx (>=7)', True), ("sphinx; python_version > '3.8'", True), ('zope.interface', True),
                ('sphinx 7', False), ('sphinx=7', False), ('sphinx @ https://example.org/x', False), ('-r x', False),
                ('--index-url=x', False), ('', False), ('git+https://example.org/x', False), ('./folder', False),
                ('a b', False),
                ('sphinx;$(id)', True)):   # a marker is the installer's to refuse; no shell sees it
            with self.subTest(package=package):
                self.assertEqual(self.problems(packages=[package]) == [], good)

    def test_paths(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'file').touch()
            for changes, expected in (
                    ({'requirements': [folder + '/file']}, ''), ({'requirements': [folder]}, 'requirements file'),
                    ({'constraints': 'https://example.org/c.txt'}, ''), ({'constraints': folder + '/file'}, ''),
                    ({'constraints': folder + '/gone'}, 'neither an address nor a file'),
                    ({'venv_path': 'relative'}, 'not an absolute path'), ({'venv_path': folder},
                                                                          'no virtual environment'),
                    ({'venv_path': folder + '/file'}, 'no virtual environment'), ({'venv_path': folder + '/new'}, ''),
                    ({'python': 'python9.99'}, "Python 'python9.99' is not on the node")):
                with self.subTest(changes=changes):
                    found = self.problems(**changes)
                    self.assertEqual(len(found), 1 if expected else 0, found)
                    self.assertIn(expected, ''.join(found))


class TestParts(unittest.TestCase):
    def test_satisfied(self) -> None:
        for there, changes, expected in (
                ({'sphinx': '7.1.2'}, {}, True), ({}, {}, False), ({'sphinx': '7.1.2'}, {'packages': ('sphinx<7',)},
                                                                   False),
                ({'sphinx': '7.1.2'}, {'packages': ('sphinx>=7,<8',)}, True),
                ({'sphinx': '7.1.2'}, {'packages': ('sphinx[test]',)}, False),
                ({'sphinx': '7.1.2'}, {'requirements': ('/r.txt',)}, False), ({'sphinx': '7'}, {'project': '/p'},
                                                                              False)):
            with self.subTest(there=there, changes=changes):
                self.assertEqual(packages.satisfied(wanted(**changes), there), expected)

    def test_the_lock_counts_where_nothing_else_has_a_say(self) -> None:
        for changes, expected in (
                ({}, ['helper', 'sphinx']), ({'packages': ('Sphinx<8',)}, ['helper', 'sphinx']),
                ({'packages': ('sphinx<7',)}, []),
                ({'packages': ('sphinx', 'six')}, []), ({'packages': ('sphinx[test]',)}, []), ({'constraints': '/c'},
                                                                                               []),
                ({'requirements': ('/r',)}, []), ({'packages': ('unknown',)}, []), ({'project': '/p'}, [])):
            with self.subTest(changes=changes):
                pins = packages.locked_lines(wanted(**changes), LOCKS, marker_environment())
                self.assertEqual([pin.name for pin in pins], expected)

    def test_words(self) -> None:
        everything = wanted(packages=('a<2', ' b'), requirements=('/r.txt',), constraints='/c.txt', project='/p')
        self.assertEqual(packages.words(everything), ['--constraint', '/c.txt', 'a<2', 'b', '--requirement', '/r.txt',
                                                      '/p'])

    def test_the_index_is_asked_when_the_cache_did_not_do(self) -> None:
        pins = [locks.Pin('sphinx', '7.1.2', '', ('sha256:' + locks.hashlib.sha256(b'').hexdigest(),), ())]
        for reachable in (True, False):
            with self.subTest(reachable=reachable), tempfile.TemporaryDirectory() as folder, \
                    mock.patch.dict(os.environ, clear=True):
                asked: list[str] = []
                tried: list[str] = []

                def run(argv: list[str], timeout: int, asked: list[str] = asked,
                        reachable: bool = reachable) -> tuple[int, str, str]:
                    asked.append('index')
                    return (0, '', '') if reachable else (1, '', 'no way out')
                site = index.site({}, [])
                Path(folder, 'sphinx-7.1.2-py3-none-any.whl').touch()
                request = packages.Request('', '', '', '', folder, (), 'auto', False, False, folder, 60)
                found = packages.places(wanted(venv=folder), request, pins, site, tried, run)
                self.assertEqual(next(found)[:2], ('cache', folder))
                self.assertEqual(asked, [])
                self.assertEqual([place[0] for place in found], ['index'] if reachable else [])
                self.assertEqual(tried, [] if reachable else [
                    'index https://pypi.org/simple: pypi.org:443 cannot be reached: no way out'])

    def test_state_sees_another_version_and_no_bytecode(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            info = Path(folder, 'lib', 'x-1.dist-info')
            info.mkdir(parents=True)
            (info / 'METADATA').write_text('Version: 1\n', encoding='utf-8')
            before = packages.state(folder)
            (Path(folder, 'lib') / '__pycache__').mkdir()
            self.assertEqual(packages.state(folder), before)
            (info / 'METADATA').write_text('Version: 2\n', encoding='utf-8')
            self.assertNotEqual(packages.state(folder), before)
            self.assertNotEqual(packages.state(folder + '/none'), before)


if __name__ == '__main__':
    unittest.main()
