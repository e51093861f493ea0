# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import signal
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils

module: Any = library('fetch-subunit-output', 'fetch_subunit_output')
events: Any = module_utils('fetch_subunit_output_events')

SET_TIMER = signal.setitimer
ALL = [module.STREAM, module.PAGE, module.XML]


def run_of(*names: str, outcome: str = 'successful') -> str:
    """A stream as stestr keeps it."""
    return ''.join(f'test: {name}\n{outcome}: {name}\n' for name in names)


class CollectTest(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.dest = self.base / 'out'

    def repository(self, where: str, counter: str = '', **runs: str) -> Path:
        repository = self.base / where
        repository.mkdir(parents=True, exist_ok=True)
        if counter:
            (repository / 'next-stream').write_text(counter)
        for name, content in runs.items():
            (repository / name.lstrip('_')).write_text(content)
        return repository

    def collect(self, *folders: str, **given: Any) -> dict[str, Any]:
        result: dict[str, Any] = module.collect({
            'work_dirs': [str(self.base / folder) for folder in folders or ('',)], 'streams': [],
            'dest': str(self.dest), 'fresh': False, 'prefix': '', 'nothing': 'note', 'timeout': 60, **given})
        return result

    def names(self) -> list[str]:
        with open(self.dest / module.STREAM, 'rb') as stream:
            return [event.test for event, _ in events.Reader(stream).packets() if event.status != 'inprogress']


class TestRuns(CollectTest):
    def test_a_project_without_results(self) -> None:
        result = self.collect()
        self.assertEqual((result['changed'], result['files'], result['problems']), (False, [], []))
        self.assertFalse(result['untested'])
        self.assertFalse(self.dest.exists())

    def test_the_newest_run(self) -> None:
        self.repository('.stestr', counter='11\n', _9=run_of('old'), _10=run_of('new'))
        result = self.collect(prefix='node/')
        self.assertEqual((result['changed'], result['files'], result['problems'], result['ran']), (True, ALL, [], 1))
        self.assertEqual(self.names(), ['new'])
        self.assertEqual([(one['url'], one['metadata']['type']) for one in result['artifacts']], [
            ('node/testr_results.html', 'unit_test_report'), ('node/testrepository.subunit', 'testrepository_subunit'),
            ('node/testr_results.xml', 'junit_xml')])
        self.assertFalse(self.collect()['changed'])

    def test_several_folders_and_files(self) -> None:
        self.repository('a/.stestr', counter='1', _0=run_of('1'))
        self.repository('b/.testrepository', counter='1', _0=run_of('2'))
        packet = events.packet(events.Event('3', 'inprogress')) + events.packet(events.Event('3', 'success'))
        (self.base / 'a' / 'plain').write_bytes(packet)
        result = self.collect('a', 'b', 'a', streams=['plain', 'plain'])
        self.assertEqual(self.names(), ['1', '2', '3'])
        self.assertEqual((result['counts']['success'], result['problems']), (3, []))

    def test_a_damaged_repository(self) -> None:
        self.repository('a/.stestr', counter='x')
        self.repository('b/.stestr', counter='1', _0=run_of('1'))
        result = self.collect('a', 'b')
        self.assertEqual(self.names(), ['1'])
        self.assertRegex(result['problems'][0], r'a/\.stestr: invalid literal')

    def test_a_counter_that_is_none(self) -> None:
        os.mkfifo(self.repository('.stestr') / 'next-stream')
        self.assertIn('.stestr: no plain file', self.collect()['problems'][0])

    def test_a_file_that_is_none(self) -> None:
        os.mkfifo(self.base / 'pipe')
        (self.base / 'link').symlink_to('/etc/passwd')
        result = self.collect(streams=['pipe', 'link', 'nowhere'])
        self.assertEqual([problem.rpartition('/')[2] for problem in result['problems'][1:]], [
            'pipe: no plain file', 'link: Too many levels of symbolic links', 'nowhere: No such file or directory'])
        self.assertEqual((result['files'], list(self.dest.iterdir())), ([], []))

    def test_a_folder_in_the_place_of_a_result(self) -> None:
        self.repository('.stestr', counter='1', _0=run_of('1'))
        (self.dest / module.PAGE).mkdir(parents=True)
        with self.assertRaises(OSError):
            self.collect()
        self.assertEqual([path.name for path in self.dest.iterdir() if path.name.startswith('.new-')], [])


class TestStopped(CollectTest):
    """A run that was killed."""

    def test_the_only_one(self) -> None:
        self.repository('.stestr', counter='0', tmpab12cd_x=run_of('a') + 'test: b\n')
        result = self.collect()
        self.assertEqual((result['counts']['success'], result['counts']['unfinished']), (1, 1))
        self.assertRegex(result['problems'][0],
                         r'tmpab12cd_x: the run was stopped before its end; this is what there is of it$')
        self.assertIn('the run was stopped', (self.dest / module.PAGE).read_text())

    def test_newer_than_the_last_that_was_whole(self) -> None:
        repository = self.repository('.stestr', counter='1', _0=run_of('whole'), tmpabcdefgh=run_of('part'))
        os.utime(repository / '0', (1000, 1000))
        self.collect()
        self.assertEqual(self.names(), ['part'])
        os.utime(repository / 'tmpabcdefgh', (500, 500))
        self.collect()
        self.assertEqual(self.names(), ['whole'])

    def test_no_run(self) -> None:
        repository = self.repository('.stestr', counter='1', _0=run_of('whole'), tmpabcdefgh='', tmp=run_of('x'))
        (repository / 'tmpabcdefg1').symlink_to('/etc/passwd')
        os.utime(repository / '0', (1000, 1000))
        self.assertEqual(self.collect()['problems'], [])
        self.assertEqual(self.names(), ['whole'])

    def test_the_time_is_over(self) -> None:
        self.repository('.stestr', counter='1', _0=run_of(*map(str, range(1000))))
        result = self.collect(timeout=-1)
        self.assertRegex(result['problems'][0], 'there was no time to read all of it')
        self.assertEqual(result['files'], ALL)


    def test_gigabytes_of_nothing(self) -> None:
        for name in ('a', 'b'):
            with open(self.base / name, 'wb') as stream:
                stream.truncate(1 << 40)
        (self.base / 'c').write_text(run_of('c'))
        with mock.patch.object(module.signal, 'setitimer', lambda which, first, again=0: SET_TIMER(
                which, first and 0.5, again and 0.5)):
            result = self.collect(streams=['c', 'a', 'b'], timeout=1)
        self.assertEqual([problem.rpartition('/')[2] for problem in result['problems']], [
            f'{name}: there was no time to read all of it (fetch_subunit_output_timeout)' for name in 'ab'])
        self.assertEqual(self.names(), ['c'])


class TestNothing(CollectTest):
    """A build that tested nothing."""

    def untested(self, *folders: str, **given: Any) -> tuple[bool, list[str]]:
        result = self.collect(*folders, **given)
        return result['untested'], [problem.replace(str(self.base) + '/', '') for problem in result['problems']]

    def test_a_repository_without_a_run(self) -> None:
        self.repository('a/.stestr')
        self.repository('b/.stestr', counter='0\n')
        self.repository('c/.stestr', counter='3\n', _1=run_of('old'))
        for folder in 'abc':
            self.assertEqual(self.untested(folder), (True, [
                'No test was run (no tests).', f'{folder}/.stestr: no run of tests was recorded there']))

    def test_a_run_without_tests(self) -> None:
        self.repository('.stestr', counter='1', _0='')
        self.assertEqual(self.untested(), (True, ['No test was run (no tests).']))
        self.assertIn('No test was run (no tests).', (self.dest / module.PAGE).read_text())
        self.assertEqual(self.untested(nothing='ignore'), (False, []))

    def test_all_were_skipped(self) -> None:
        self.repository('.stestr', counter='1', _0=run_of('a', 'b', outcome='skip'))
        self.assertEqual(self.untested(), (True, ['No test was run (2 skipped).']))

    def test_a_folder_that_was_promised(self) -> None:
        self.repository('.stestr', counter='1', _0=run_of('a'))
        self.assertEqual(self.untested('', 'b'), (
            False, ['b: no results there (fetch_subunit_output_additional_dirs)']))

    def test_no_project_for_tests(self) -> None:
        self.assertEqual(self.untested(), (False, []))
        self.assertEqual(self.untested(nothing='fail'), (True, ['No test was run (no tests).']))


if __name__ == '__main__':
    unittest.main()
