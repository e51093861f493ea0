# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

reports = library('merge-provision-reports', 'merge_provision_reports')
GOOD = {'name': 'tox', 'version': '4.30', 'source': 'cache', 'locked': True, 'seconds': 0.4, 'passed_over': []}


class TestRecord(unittest.TestCase):
    def test_good(self) -> None:
        self.assertEqual(reports.record(json.dumps(GOOD).encode()), GOOD)

    def test_what_is_none(self) -> None:
        for data, why in (
                (b'{', 'not JSON'), (b'\xff', 'not JSON'), (b'[' * 100000, 'not JSON'), (b'[]', 'no record'),
                (b'{}', 'no record'),
                (b'{"name": 1, "source": "cache"}', 'no record'), (b'{"name": "x", "source": "web"}', 'no record'),
                (b'{"name": "x", "source": ["cache"]}', 'no record'),
                (b'"' + b'x' * reports.MAX_BYTES + b'"', 'larger than')):
            with self.subTest(data=data[:30]), self.assertRaisesRegex(ValueError, why):
                reports.record(data)

    def test_only_what_is_known_and_of_its_type(self) -> None:
        lies: dict[str, Any] = {'seconds': 'x', 'locked': 1, 'passed_over': [1, {'why': ['a']}], 'extra': 1,
                                'version': 7,
                                'path': '/x\x1b[31m' + 'y' * 5000}
        checked = reports.record(json.dumps({**GOOD, **lies}).encode())
        self.assertEqual((checked['seconds'], checked['passed_over']),
                         (0.0, [{'source': '', 'where': '', 'why': "['a']"}]))
        self.assertLess(len(checked['path']), 2001)
        self.assertNotIn('\x1b', checked['path'])
        for key in ('locked', 'extra', 'version'):
            self.assertNotIn(key, checked)
        for seconds in (-1, 1e300, True):
            self.assertEqual(reports.record(json.dumps({**GOOD, 'seconds': seconds}).encode())['seconds'], 0.0)


class TestRemarks(unittest.TestCase):
    def test_what_a_reader_should_know(self) -> None:
        lacks = [{'source': 'cache', 'where': '/opt/cache/wheels', 'why': 'lacks tox 4.30'}]
        old = [{'source': 'image', 'where': '/usr/bin/tox', 'why': '3.1 does not satisfy >=4'}]
        for changes, expected in (
                ({}, []),
                ({'source': 'index', 'cache': True, 'passed_over': lacks},
                 ['from the index although the image has a cache: lacks tox 4.30']),
                ({'source': 'index', 'cache': False, 'passed_over': lacks}, []),
                ({'source': 'index', 'locked': False}, ['not in the lock, installed without hashes']),
                ({'passed_over': old}, ['passed over /usr/bin/tox: 3.1 does not satisfy >=4']),
                ({'source': 'none', 'why': 'no place', 'passed_over': old}, ['failed: no place'])):
            with self.subTest(changes=changes):
                self.assertEqual(reports.remarks({**GOOD, **changes}), expected)


class TestMerge(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = Path(folder.name)

    def put(self, name: str, content: str) -> Path:
        path = self.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding='utf-8')
        return path

    def test_one_node_and_several(self) -> None:
        self.put('provision/tox-1.json', json.dumps(GOOD))
        self.put('two/provision/nox-1.json', json.dumps({**GOOD, 'name': 'nox'}))
        self.put('two/deeper/provision/x.json', json.dumps(GOOD))
        result = reports.merge(str(self.logs), False)
        self.assertEqual(result['lines'], ['tox 4.30 from cache in 0.4 s', 'two: nox 4.30 from cache in 0.4 s'])
        merged = json.loads((self.logs / 'provision.json').read_text(encoding='utf-8'))
        self.assertEqual([(tool['node'], tool['name']) for tool in merged['tools']], [('', 'tox'), ('two', 'nox')])
        self.assertIn('2 tools: 2 from cache.', (self.logs / 'provision.html').read_text(encoding='utf-8'))

    def test_a_hostile_node(self) -> None:
        secret = self.put('secret', json.dumps({**GOOD, 'name': 'secret'}))
        self.put('provision/a.json', json.dumps({**GOOD, 'name': '<b>&"'}))
        (self.logs / 'provision/b.json').symlink_to(secret)
        os.mkfifo(self.logs / 'provision/c.json')
        (self.logs / 'provision/d.json').mkdir()
        (self.logs / 'linked').symlink_to('/etc')
        target = self.put('target', 'stays')
        (self.logs / 'provision.html').symlink_to(target)
        result = reports.merge(str(self.logs), False)
        self.assertEqual(result['tools'], 1)
        self.assertEqual(target.read_text(encoding='utf-8'), 'stays')
        shown = (self.logs / 'provision.html').read_text(encoding='utf-8')
        self.assertIn('&lt;b&gt;&amp;&quot;', shown)
        self.assertNotIn('<b>', shown)

    def test_too_many(self) -> None:
        for number in range(reports.MAX_FILES + 5):
            self.put(f'provision/{number:03}.json', json.dumps(GOOD))
        result = reports.merge(str(self.logs), False)
        self.assertEqual(result['tools'], reports.MAX_FILES)

    def test_too_many_that_are_none(self) -> None:
        for number in range(reports.MAX_FILES + 5):
            self.put(f'provision/{number:03}.json', '[')
        with mock.patch.object(reports, 'record', side_effect=ValueError('none')) as looked_at:
            self.assertEqual(reports.merge(str(self.logs), False)['tools'], 0)
        self.assertEqual(looked_at.call_count, reports.MAX_FILES)

    def test_nothing_and_check_mode(self) -> None:
        self.assertEqual(reports.merge(str(self.logs), False), {'changed': False, 'tools': 0, 'lines': []})
        self.put('provision/a.json', json.dumps(GOOD))
        self.assertTrue(reports.merge(str(self.logs), True)['changed'])
        self.assertEqual(sorted(os.listdir(self.logs)), ['provision'])


if __name__ == '__main__':
    unittest.main()
