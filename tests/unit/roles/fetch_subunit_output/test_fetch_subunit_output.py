# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('fetch-subunit-output', 'fetch_subunit_output')


class CollectTest(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.dest = self.base / 'out'
        # A tool that the machine of these tests happens to have is not used.
        patch = mock.patch.object(module, 'converters', self.converters)
        patch.start()
        self.addCleanup(patch.stop)
        self.tools: list[str] = []

    def converters(self, _: Any) -> list[str]:
        return self.tools

    def repository(self, where: str, counter: str = '', **runs: str) -> Path:
        repository = self.base / where
        repository.mkdir(parents=True)
        if counter:
            (repository / 'next-stream').write_text(counter)
        for name, content in runs.items():
            (repository / name.lstrip('_')).write_text(content)
        return repository

    def tool(self, script: str) -> None:
        path = self.base / f'tool{len(self.tools)}'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(0o755)
        self.tools.append(str(path))

    def collect(self, *folders: str) -> dict[str, Any]:
        result: dict[str, Any] = module.collect({
            'work_dirs': [str(self.base / folder) for folder in folders or ('',)], 'dest': str(self.dest),
            'fresh': False, 'timeout': 5})
        return result

    def stream(self) -> str:
        return (self.dest / module.STREAM).read_text()


class TestStreams(CollectTest):
    def test_no_results(self) -> None:
        self.assertEqual(self.collect(), {'changed': False, 'files': [], 'problems': []})
        self.repository('a/.stestr')
        self.repository('b/.stestr', counter='0\n')
        self.repository('c/.stestr', counter='3\n', _1='run')
        self.assertEqual(self.collect('a', 'b', 'c', 'nowhere')['files'], [])
        self.assertFalse(self.dest.exists())

    def test_the_newest_run(self) -> None:
        self.repository('.stestr', counter='11\n', _9='old', _10='new')
        self.assertEqual(self.collect(), {'changed': True, 'files': [module.STREAM], 'problems': []})
        self.assertEqual(self.stream(), 'new')
        self.assertFalse(self.collect()['changed'])

    def test_several_folders(self) -> None:
        self.repository('a/.stestr', counter='1', _0='1')
        self.repository('b/.testrepository', counter='1', _0='2')
        self.collect('a', 'b', 'a')
        self.assertEqual(self.stream(), '12')

    def test_a_damaged_repository(self) -> None:
        self.repository('a/.stestr', counter='x')
        self.repository('b/.stestr', counter='1', _0='1')
        result = self.collect('a', 'b')
        self.assertEqual(self.stream(), '1')
        self.assertRegex(result['problems'][0], r'a/\.stestr: invalid literal')


class TestPage(CollectTest):
    def setUp(self) -> None:
        super().setUp()
        self.repository('.stestr', counter='1', _0='run')

    def test_made_and_kept(self) -> None:
        self.tool('cat "$1" >"$2"; echo made >>"$2"')
        self.assertEqual(self.collect()['files'], [module.STREAM, module.PAGE])
        self.assertEqual((self.dest / module.PAGE).read_text(), 'runmade\n')
        self.assertFalse(self.collect()['changed'])

    def test_a_tool_that_leaves_with_the_result_of_the_tests(self) -> None:
        self.tool('cat "$1" >"$2"; exit 1')
        self.assertEqual(self.collect()['files'], [module.STREAM, module.PAGE])

    def test_a_tool_that_fails(self) -> None:
        self.tool('echo no module named subunit; exit 1')
        result = self.collect()
        self.assertEqual(result['files'], [module.STREAM])
        self.assertRegex(result['problems'][0], 'exit code 1: no module named subunit')


class TestConverters(unittest.TestCase):
    def test_the_projects_own_comes_first(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tool = Path(folder, 'it[s]', '.tox', 'py311', 'bin', 'subunit2html')
            tool.parent.mkdir(parents=True)
            tool.touch()
            found = module.converters([str(Path(folder, 'it[s]'))])
            self.assertEqual(found[:2], [str(tool), '/usr/stestr-env/bin/subunit2html'])
