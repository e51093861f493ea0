# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from tests.unit.roles import library

detector = library('ensure-if-python', 'ensure_if_python')


class TestLook(unittest.TestCase):
    def test_what_is_a_project(self) -> None:
        for name, content, expected in (
                ('setup.py', '', True), ('setup.cfg', '[flake8]\nignore=E1\n', False), ('setup.cfg',
                                                                                        '[metadata]\nname=x\n', True),
                ('pyproject.toml', '[tool.black]\n', False), ('pyproject.toml', '[build-system]\nrequires=[]\n', True),
                ('pyproject.toml', '[project]\nname="x"\n', True), ('pyproject.toml', '[ tool.poetry ]\n', True),
                ('pyproject.toml', '[project.scripts]\n', False), ('README', '', False)):
            with self.subTest(name=name, content=content), tempfile.TemporaryDirectory() as folder:
                Path(folder, name).write_text(content, encoding='utf-8')
                found = detector.look(folder)
                self.assertEqual((found['project'], found['requirements']), (folder if expected else '', []))

    def test_requirements_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'requirements.txt').touch()
            found = detector.look(folder)
            self.assertEqual((found['project'], found['requirements']), ('', [folder + '/requirements.txt']))
            self.assertEqual(detector.problem(folder, found, True), '')

    def test_a_project_of_another_kind(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = detector.look(folder)
            self.assertEqual(detector.problem(folder, found, False), '')
            self.assertIn('is no project for Python', detector.problem(folder, found, True))


if __name__ == '__main__':
    unittest.main()
