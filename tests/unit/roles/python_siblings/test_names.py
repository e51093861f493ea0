# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests.unit.roles import module_utils

names = module_utils('python_siblings_names')


class TestNames(unittest.TestCase):
    def test_spelling(self) -> None:
        for name in ('Zope.Interface', 'zope-interface', 'ZOPE_interface', 'zope.-_interface'):
            self.assertEqual(names.normal(name), 'zope-interface')

    def test_pyproject(self) -> None:
        for text, expected in (
                ('[build-system]\nname = "no"\n[project]\nversion = "1"\nname = "my.lib" # yes\n', 'my.lib'),
                ('[project]\nname = "hatched"\ndynamic = ["version"]\n[tool.hatch.version]\npath = "x"\n', 'hatched'),
                ("[tool.poetry]\nname = 'poems'\n", 'poems'),
                ('[tool.flit.metadata]\nmodule = "flitting"\ndist-name = "flit-ting"\n', 'flit-ting'),
                ('[tool.flit.metadata]\nmodule = "flitting"\n', 'flitting'),
                ('[project]\nname = "of.pep621"\n[tool.poetry]\nname = "of-poetry"\n', 'of.pep621'),
                ('[tool.ruff]\nname = "no"\n', None), ('[project]\nversion = "1"\n', None), ('', None)):
            with self.subTest(text=text):
                self.assertEqual(names.name_in_pyproject(text), expected)
                with mock.patch.object(names, 'tomllib', None):
                    self.assertEqual(names.name_in_pyproject(text), expected, 'by lines')

    def test_toml_that_is_broken_or_written_otherwise(self) -> None:
        self.assertIsNone(names.name_in_pyproject('[project\nname = "x"'))
        self.assertEqual(names.name_in_pyproject('project = {name = "inline"}'), 'inline')

    def test_files(self) -> None:
        for files, expected in (
                ({}, None),
                ({'setup.cfg': '[metadata]\nname = my-lib\n'}, 'my-lib'),
                ({'setup.cfg': '[metadata]\nname: pbr-lib\n[files]\npackages = x\n',
                  'setup.py': 'import setuptools\nsetuptools.setup(setup_requires=["pbr"], pbr=True)\n'}, 'pbr-lib'),
                ({'setup.cfg': 'broken'}, None),
                ({'setup.py': 'import setuptools\nsetuptools.setup(version="1", name="one")\n'}, 'one'),
                ({'setup.py': 'from setuptools import setup\nNAME = "two"\nsetup(name=NAME)\n'}, None),
                ({'setup.py': 'print "old"\n'}, None),
                ({'setup.cfg': '[metadata]\nname = cfg\n', 'setup.py': 'setup(name="py")\n'}, 'cfg'),
                ({'pyproject.toml': '[build-system]\n', 'setup.cfg': '[metadata]\nname: cfg\n'}, 'cfg')):
            with self.subTest(files=files):
                self.assertEqual(names.static_name(files), expected)

    def test_reading_a_folder(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'setup.cfg').write_bytes(b'[metadata]\nname = caf\xe9\n')
            Path(folder, 'setup.py').mkdir()
            self.assertEqual(list(names.read_project(folder)), ['setup.cfg'])


class TestConstraints(unittest.TestCase):
    def test_siblings_are_left_out(self) -> None:
        for text, expected in (
                ('Lib_One===1.0\nlib-one-extra==2\n# lib-one\nother==3;python_version>"3"\nlib.one==2',
                 'lib-one-extra==2\n# lib-one\nother==3;python_version>"3"\n'),
                ('a==1\nlib-one==2 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\nb==2 \\\n  --hash=sha256:22\n',
                 'a==1\nb==2 \\\n  --hash=sha256:22\n'),
                ('lib-one[extra]==1\n lib-one >= 1\nlib-one @ https://example.org/x.whl\n', ''), ('', '')):
            with self.subTest(text=text):
                self.assertEqual(names.constraints_without(text, ['lib-one']), expected)

    def test_addresses(self) -> None:
        self.assertEqual(names.lines_for({'b': '/x/b', 'a': '/with blank/a'}),
                         'a @ file:///with%20blank/a\nb @ file:///x/b\n')


if __name__ == '__main__':
    unittest.main()
