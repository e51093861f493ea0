# SPDX-License-Identifier: Apache-2.0
"""Reports as tools write them, and such as nobody should read."""
from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library

module: Any = library('fetch-test-reports', 'fetch_test_reports')
# of pytest 9.2.0, of coverage 7
PYTEST = (b'<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" '
          b'failures="1" skipped="1" tests="3" time="0.031"><testcase classname="t" name="test_a" time="0.001"/>'
          b'<testcase classname="t" name="test_b" time="0.002"><failure message="no">E</failure></testcase>'
          b'<testcase classname="t" name="test_c" time="nan"><skipped type="pytest.skip">x</skipped></testcase>'
          b'</testsuite></testsuites>')
COBERTURA = (b'<?xml version="1.0" ?>\n<coverage version="7.1" line-rate="0.8571" lines-covered="6" lines-valid="7" '
             b'branch-rate="0" complexity="0"><sources><source>/x</source></sources></coverage>')
TOTALS = {'totals': {'covered_lines': 6, 'num_statements': 7, 'percent_covered': 85.714}}


class TestReading(unittest.TestCase):
    def test_junit(self) -> None:
        self.assertEqual(module.junit(PYTEST), {'tests': 3, 'failures': 1, 'errors': 0, 'skipped': 1, 'seconds': 0.003})
        self.assertEqual(module.junit(b'<testsuite/>')['tests'], 0)
        both = b'<testsuite><testcase><error/><failure/></testcase><testcase><failure/></testcase></testsuite>'
        self.assertEqual([module.junit(both)[key] for key in ('tests', 'errors', 'failures')], [2, 1, 1])

    def test_no_junit(self) -> None:
        for data, said in ((COBERTURA, 'no report of tests'), (b'', 'broken XML'), (b'{}', 'broken XML'),
                           (b'<testsuite>', 'broken XML'), (b'<testsuite/>x', 'broken XML'), (b'\0', 'broken XML'),
                           (b'<!DOCTYPE a [<!ENTITY b "c">]><testsuite/>', 'it declares entities')):
            with self.subTest(data=data[:30]), self.assertRaisesRegex(module.NoReport, said):
                module.junit(data)

    def test_coverage(self) -> None:
        expected = {'percent': 85.71, 'covered_lines': 6, 'lines': 7}
        self.assertEqual(module.coverage(COBERTURA), expected)
        self.assertEqual(module.coverage(json.dumps(TOTALS).encode()), expected)
        odd = b'<coverage line-rate="1e99" lines-covered="-1" lines-valid="inf"/>'
        self.assertEqual(module.coverage(odd), {'percent': 0.0, 'covered_lines': 0, 'lines': 0})

    def test_no_coverage(self) -> None:
        for data in (PYTEST, b'<coverage/>', b'{}', b'{"totals": 1}', b'{"totals": {}}', b'{' * 10, b'[' * 100000,
                     b'{"a":' * 100000, b''):
            with self.subTest(data=data[:30]), self.assertRaises(module.NoReport):
                module.coverage(data)


class TestCollect(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.base = Path(scratch.name)
        self.folder = self.base / 'project'
        self.folder.mkdir()

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)

    def collect(self, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.collect({
            'folder': str(self.folder), 'junit': ['*junit*.xml'], 'coverage': ['coverage.xml', 'coverage.json'],
            'dest': f'{self.base}/out', 'fresh': False, 'prefix': '', 'timeout': 60, **other})
        return result

    def test_what_is_there(self) -> None:
        self.write('out/junit.xml', PYTEST)
        self.write('coverage.xml', COBERTURA)
        self.write('junit.xml', b'<testsuite><testcase time="1"/></testsuite>')
        result = self.collect(prefix='node/')
        self.assertEqual(result['files'],
                         ['test-reports/junit.xml', 'test-reports/out/junit.xml', 'test-reports/summary.json'])
        self.assertEqual(result['tests'], {'tests': 4, 'failures': 1, 'errors': 0, 'skipped': 1, 'seconds': 1.003})
        self.assertEqual(result['artifacts'][1], {
            'name': 'JUnit XML out/junit.xml', 'url': 'node/test-reports/out/junit.xml', 'metadata': {
                'type': 'junit_xml', 'tests': 3, 'failures': 1, 'errors': 0, 'skipped': 1, 'seconds': 0.003}})
        self.assertEqual(result['artifacts'][2], {
            'name': 'Coverage summary', 'url': 'node/test-reports/summary.json', 'metadata': {
                'type': 'coverage_summary', 'percent': 85.71, 'covered_lines': 6, 'lines': 7}})
        self.assertEqual((self.base / 'out/test-reports/out/junit.xml').read_bytes(), PYTEST)
        summary = json.loads((self.base / 'out/test-reports/summary.json').read_text())
        self.assertEqual(summary['tests'], result['tests'])
        self.assertTrue(result['changed'])
        self.assertFalse(self.collect(prefix='node/')['changed'])

    def test_nothing(self) -> None:
        for folder in (self.folder, self.base / 'gone'):
            with self.subTest(folder=folder.name):
                result = self.collect(folder=str(folder))
                self.assertEqual([result[key] for key in ('files', 'artifacts', 'tests', 'problems')], [[], [], {}, []])
        self.assertFalse((self.base / 'out').exists())

    def test_what_git_tracks_was_not_made_by_the_job(self) -> None:
        for name in ('tests/data/junit.xml', 'new-junit.xml', 'odd [x] junit.xml'):
            self.write(name, PYTEST)
        for words in (['init', '-q'], ['add', 'tests', 'odd [x] junit.xml']):
            subprocess.run(['git', '-C', str(self.folder), *words], check=True)
        self.assertEqual(self.collect()['files'], ['test-reports/new-junit.xml', 'test-reports/summary.json'])

    def test_hostile(self) -> None:
        for name in ('.tox/junit.xml', 'node_modules/junit.xml', 'a/b/c/d/e/f/junit.xml', 'new\nline-junit.xml',
                     'ok-junit.xml'):
            self.write(name, PYTEST)
        (self.base / 'junit.xml').write_bytes(PYTEST)
        (self.folder / 'link-junit.xml').symlink_to('../junit.xml')
        (self.folder / 'folder').symlink_to('..')
        os.mkfifo(self.folder / 'pipe-junit.xml')
        with (self.folder / 'large-junit.xml').open('wb') as stream:
            stream.truncate(module.MAX_BYTES + 1)
        result = self.collect()
        self.assertEqual(result['files'], ['test-reports/ok-junit.xml', 'test-reports/summary.json'])
        self.assertEqual(result['problems'], ['large-junit.xml: larger than 32 MiB',
                                              'new\nline-junit.xml: its name cannot be that of a page'])

    def test_limits(self) -> None:
        for number in range(module.MAX_REPORTS + 2):
            self.write(f'{number:02}-junit.xml', PYTEST)
        result = self.collect()
        self.assertEqual(len(result['files']), module.MAX_REPORTS + 1)
        self.assertEqual(result['problems'], ['20-junit.xml: left out, more than 20 reports'])
        self.assertIn('no time', self.collect(timeout=-1)['problems'][0])

    def test_a_link_in_the_target_is_replaced(self) -> None:
        self.write('junit.xml', PYTEST)
        target = self.base / 'out/test-reports/junit.xml'
        target.parent.mkdir(parents=True)
        (self.base / 'private').write_text('private')
        target.symlink_to(self.base / 'private')
        self.collect()
        self.assertEqual((self.base / 'private').read_text(), 'private')
        self.assertFalse(target.is_symlink())
        (self.base / 'out/old').write_text('x')
        self.collect(fresh=True)
        self.assertFalse((self.base / 'out/old').exists())


if __name__ == '__main__':
    unittest.main()
