# SPDX-License-Identifier: Apache-2.0
"""From the work folder of a build to its logs."""
from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library
from tests.unit.roles.hostile import HostileTest

module: Any = library('merge-output-to-logs', 'merge_output_to_logs')


class MergeTest(unittest.TestCase):
    def setUp(self) -> None:
        self.work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)
        self.logs = self.work / 'logs'
        self.logs.mkdir()

    def merge(self) -> dict[str, Any]:
        result: dict[str, Any] = module.merge({
            'work_root': str(self.work), 'log_root': str(self.logs), 'timeout': 60})
        return result

    def fill(self, **content: str) -> None:
        for name, text in content.items():
            path = self.work / name.replace('__', '/')
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.logs)): path.read_text() for path in self.logs.rglob('*')
                if path.is_file() and not path.is_symlink()}


class TestMerge(MergeTest):
    def test_both_parts(self) -> None:
        self.fill(artifacts__a='1', artifacts__one__b='2', docs__index='3', other__x='no', logs__job='kept')
        (self.work / 'docs/empty').mkdir()
        self.assertEqual(self.merge(), {'changed': True, 'files': 3, 'problems': []})
        self.assertEqual(self.files(), {
            'artifacts/a': '1', 'artifacts/one/b': '2', 'docs/index': '3', 'job': 'kept'})
        self.assertTrue((self.logs / 'docs/empty').is_dir())
        self.assertEqual(sorted(os.listdir(self.work)), ['logs', 'other'])
        self.assertEqual(self.merge(), {'changed': False, 'files': 0, 'problems': []})

    def test_nothing_is_replaced(self) -> None:
        self.fill(logs__artifacts__a='log', logs__artifacts__same='=', artifacts__a='1', artifacts__same='=',
                  artifacts__b__c='2', logs__artifacts__b='no folder')
        self.assertEqual(self.merge()['problems'], [
            'artifacts/a: the logs have another one, this is merged-artifacts/a',
            'artifacts/b/c: the logs have another one, this is merged-artifacts/b/c'])
        self.fill(artifacts__a='3')
        self.assertEqual(self.merge()['problems'], ['artifacts/a: the logs have two others, left out'])
        self.assertEqual(self.files(), {'artifacts/a': 'log', 'artifacts/same': '=', 'artifacts/b': 'no folder',
                                        'merged-artifacts/a': '1', 'merged-artifacts/b/c': '2'})
        self.assertFalse(self.merge()['changed'])

    def test_onto_another_file_system(self) -> None:
        self.fill(artifacts__a='1', docs__b='2', logs__docs__b='other')
        with mock.patch.object(module.os, 'link', side_effect=OSError(errno.EXDEV, 'Invalid cross-device link')):
            self.assertEqual(self.merge()['files'], 2)
        self.assertEqual(self.files(), {'artifacts/a': '1', 'docs/b': 'other', 'merged-docs/b': '2'})
        self.assertFalse((self.work / 'artifacts').exists())

    def test_the_time_is_over(self) -> None:
        self.fill(artifacts__a='1')
        with mock.patch.object(module.Merge, 'part', side_effect=module.TooLate):
            self.assertEqual(self.merge()['problems'], [
                'not done after 60 seconds (merge_output_to_logs_timeout); what was moved until then is kept'])


class TestHostile(MergeTest):
    def test_what_is_no_file_stays(self) -> None:
        private = self.work / 'logs-private'
        private.mkdir()
        (private / 'key').write_text('key')
        self.fill(artifacts__a='1')
        (self.work / 'docs').symlink_to(private)
        folder = self.work / 'artifacts'
        (folder / 'absolute').symlink_to(private / 'key')
        (folder / 'loop').symlink_to('.')
        os.link(private / 'key', folder / 'hard')
        os.mkfifo(folder / 'pipe')
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(folder / 'plug'))
        result = self.merge()
        self.assertEqual(result['problems'], [
            'artifacts/absolute: a link, left out', 'artifacts/hard: a file with names elsewhere, left out',
            'artifacts/loop: a link, left out', 'artifacts/pipe: a pipe, left out',
            'artifacts/plug: a socket, left out', 'docs: a link, left out'])
        self.assertEqual(self.files(), {'artifacts/a': '1'})
        self.assertEqual(os.listdir(private), ['key'])
        self.assertFalse(self.merge()['changed'])

    def test_links_in_the_logs_lead_nowhere(self) -> None:
        outside = self.work / 'outside'
        outside.mkdir()
        (self.logs / 'artifacts').symlink_to(outside)
        (self.logs / 'docs').mkdir()
        (self.logs / 'docs/b').symlink_to(outside / 'made')
        (self.logs / 'merged-docs').symlink_to(outside)
        self.fill(artifacts__a='1', docs__b='2')
        self.assertEqual(self.merge()['problems'], [
            'artifacts/a: the logs have another one, this is merged-artifacts/a',
            'docs/b: the logs have two others, left out'])
        self.assertEqual((os.listdir(outside), self.files()), ([], {'merged-artifacts/a': '1'}))

    def test_logs_that_are_a_link(self) -> None:
        self.fill(artifacts__a='1')
        (self.work / 'elsewhere').mkdir()
        self.logs.rmdir()
        self.logs.symlink_to('elsewhere')
        with self.assertRaises(OSError):
            self.merge()
        self.assertEqual(os.listdir(self.work / 'elsewhere'), [])

    def test_odd_names(self) -> None:
        (self.work / 'artifacts').mkdir()
        names = [b"it's", b'$(touch x) "y"', b'lat\xe9n', b'-rf', b'.hidden', b'a\nb', b'\x1b[2J']
        for name in names:
            Path(os.fsdecode(os.fsencode(self.work / 'artifacts') + b'/' + name)).write_text('x')
            (self.work / 'docs').mkdir(exist_ok=True)
            os.symlink('x', os.fsencode(self.work / 'docs') + b'/' + name)
        result = self.merge()
        self.assertEqual(result['files'], len(names))
        self.assertIn('docs/\\x1b[2J: a link, left out', result['problems'])
        self.assertEqual(sorted(os.listdir(os.fsencode(self.logs / 'artifacts'))), sorted(names))

    def test_deep_folders(self) -> None:
        self.fill(artifacts__a='1')
        handle = os.open(self.work / 'artifacts', os.O_RDONLY)
        for depth in range(module.MAX_DEPTH + 10):
            os.mkdir('long-name-of-a-folder', dir_fd=handle)
            deeper = os.open('long-name-of-a-folder', os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = deeper
            if depth == 200:
                os.close(os.open('log', os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        os.close(handle)
        result = self.merge()
        self.assertEqual(result['files'], 2)
        self.assertRegex(result['problems'][0], 'more than 256 folders deep, left out$')
        # the standard library cannot remove what is deeper than a path may be long
        subprocess.run(['rm', '-rf', self.work / 'artifacts', self.logs], check=True, timeout=60)


class TestWorst(HostileTest):
    """The worst output that a job can leave."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.base / 'artifacts'
        (self.base / 'logs').mkdir()

    def merge(self) -> dict[str, Any]:
        result: dict[str, Any] = module.merge({
            'work_root': str(self.base), 'log_root': str(self.base / 'logs'), 'timeout': 60})
        return result

    def test_nothing_leads_out_and_the_rest_is_moved(self) -> None:
        self.make('--empty', '1000')
        problems = self.merge()['problems']
        self.assertEqual(self.wrong(self.base / 'logs', empty=1000), [])
        self.assertIn('artifacts/hard/outside: a file with names elsewhere, left out', problems)
        kinds = {line.rpartition(': ')[2] for line in problems}
        self.assertEqual(kinds - {'a device, left out'}, {
            'a link, left out', 'a pipe, left out', 'a socket, left out', 'a file with names elsewhere, left out'})

    def test_what_becomes_a_link_meanwhile(self) -> None:
        self.make('--empty', '0', '--deep', '0')
        self.swap(30)
        for _ in range(5):      # two hundred are swapped
            self.merge()
        lacks = ['swapped file', 'swapped folder', 'deep']
        self.assertEqual(self.wrong(self.base / 'logs', lacks=lacks), [])
