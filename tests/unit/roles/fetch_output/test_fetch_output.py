# SPDX-License-Identifier: Apache-2.0
"""From a node's folder to the executor; a script stands in for ssh and runs the far end here."""
from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils

module: Any = library('fetch-output', 'fetch_output')
ssh: Any = module_utils('fetch_output_ssh')


class FetchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.node = self.base / 'zuul-output'
        self.ssh = self.base / 'ssh'
        self.far_end('for last; do :; done\nexec sh -c "$last"')

    def far_end(self, script: str) -> None:
        self.ssh.write_text(f'#!/bin/sh\n{script}\n')
        self.ssh.chmod(0o755)

    def fetch(self, node: str = 'one', several: bool = False, max_bytes: int = 1 << 20) -> dict[str, Any]:
        work = self.base / 'work'
        result: dict[str, Any] = module.fetch({
            'source': str(self.node), 'logs': str(work / 'logs' / node if several else work / 'logs'),
            'artifacts': str(work / 'artifacts'), 'docs': str(work / 'docs'), 'node': node, 'timeout': 60,
            'max_bytes': max_bytes,
            'host': 'node', 'port': '', 'user': '', 'python': sys.executable, 'ssh_executable': str(self.ssh),
            'ssh_args': '', 'control_dir': '', 'private_key_file': ''})
        return result

    def files(self) -> dict[str, bytes]:
        work = self.base / 'work'
        return {str(path.relative_to(work)): path.read_bytes() for path in sorted(work.rglob('*')) if path.is_file()}

    def fill(self, **content: str) -> None:
        for name, text in content.items():
            path = self.node / name.replace('__', '/')
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


class TestFetch(FetchTest):
    def test_the_three_folders(self) -> None:
        self.fill(logs__a='1', logs__deep__b='22', artifacts__c='333', docs__index='', private__d='no')
        (self.node / 'logs' / 'empty').mkdir()
        result = self.fetch()
        self.assertEqual(result, {'changed': True, 'files': 4, 'bytes': 6, 'problems': []})
        self.assertEqual(self.files(), {'logs/a': b'1', 'logs/deep/b': b'22', 'artifacts/c': b'333', 'docs/index': b''})
        self.assertTrue((self.base / 'work/logs/empty').is_dir())
        self.assertFalse(self.fetch()['changed'])

    def test_more_than_allowed(self) -> None:
        self.fill(logs__a='1' * 5, logs__b='2' * 5, logs__c='3')
        self.assertEqual(self.fetch(max_bytes=11)['problems'], [])
        shutil.rmtree(self.base / 'work')
        result = self.fetch(max_bytes=9)
        self.assertEqual(result['problems'], [
            'the node one: it sent more than 9 bytes (fetch_output_max_bytes); what came before is kept'])
        self.assertEqual((result['files'], result['bytes'], list(self.files())), (1, 5, ['logs/a']))

    def test_the_output_of_the_job_itself_stays(self) -> None:
        (self.base / 'work/logs').mkdir(parents=True)
        (self.base / 'work/logs/job-output.json').write_text('of Zuul')
        self.fill(**{'logs__job-output.json': 'forged', 'logs__job-output.txt': 'x', 'logs__a__job-output.json': 'y'})
        self.assertEqual(self.fetch()['problems'], [
            'logs/job-output.json: this is the name of a file of Zuul, left out'])
        self.assertEqual(self.files(), {
            'logs/job-output.json': b'of Zuul', 'logs/job-output.txt': b'x', 'logs/a/job-output.json': b'y'})

    def test_nothing_there(self) -> None:
        self.assertEqual(self.fetch()['problems'], [])
        self.node.mkdir()
        self.assertEqual(self.fetch()['files'], 0)

    def test_odd_names(self) -> None:
        (self.node / 'logs').mkdir(parents=True)
        names = [b"it's.log", b'$(x) "y"', b'lat\xe9n', '☃'.encode(), b'-rf', b'.hidden']
        for name in names:
            Path(os.fsdecode(os.path.join(os.fsencode(self.node / 'logs'), name))).write_text('x')
        self.assertEqual(self.fetch()['files'], len(names))
        self.assertEqual(sorted(os.listdir(os.fsencode(self.base / 'work/logs'))), sorted(names))

    def test_what_is_no_file_stays_there(self) -> None:
        self.fill(logs__a='1')
        secret = self.base / 'secret'
        secret.mkdir()
        (secret / 'key').write_text('key')
        (self.node / 'logs' / 'link').symlink_to(secret / 'key')
        (self.node / 'logs' / 'way').symlink_to(secret)
        (self.node / 'docs').symlink_to(secret)
        os.mkfifo(self.node / 'logs' / 'pipe')
        (self.node / 'logs' / '\x1b[2J').write_text('x')
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(self.node / 'logs' / 'plug'))
        result = self.fetch()
        self.assertEqual(self.files(), {'logs/a': b'1'})
        self.assertEqual(sorted(result['problems']), [
            'docs: a link, left there', 'logs/\\x1b[2J: a control character in its name, left out',
            'logs/link: a link, left there', 'logs/pipe: a pipe, left there', 'logs/plug: a socket, left there',
            'logs/way: a link, left there'])

    def test_several_nodes(self) -> None:
        self.fill(logs__a='1', artifacts__same='=', artifacts__own='1')
        self.fetch('one', several=True)
        self.fill(logs__a='2', artifacts__own='2')
        result = self.fetch('two', several=True)
        self.assertEqual(result['problems'], [
            'artifacts/own: another node has a different one, this is artifacts/two/own'])
        self.assertEqual(self.files(), {'logs/one/a': b'1', 'logs/two/a': b'2', 'artifacts/same': b'=',
                                        'artifacts/own': b'1', 'artifacts/two/own': b'2'})


class TestTrouble(FetchTest):
    def test_no_node(self) -> None:
        self.far_end('echo no route to host >&2; exit 255')
        result = self.fetch()
        self.assertEqual(result['files'], 0)
        self.assertRegex(result['problems'][0], 'the node one: .*exit code 255.*no route to host')
        self.assertFalse((self.base / 'work').exists())

    def hostile(self, *lines: Any, end: bytes = b'') -> dict[str, Any]:
        """Fetch from a node that sends *lines* of JSON, or bytes as they are."""
        answer = ssh.READY + b''.join(line if isinstance(line, bytes) else json.dumps(line).encode() + b'\n'
                                      for line in lines) + end
        (self.base / 'answer').write_bytes(answer)
        self.far_end(f'read size; head -c "$size" >/dev/null; read request; cat {self.base}/answer')
        return self.fetch()

    @staticmethod
    def header(path: str, **other: Any) -> dict[str, Any]:
        return {'part': 'logs', 'path': path, 'folder': False, 'mode': 0o644, 'mtime': 1, **other}

    def test_paths_that_lead_elsewhere(self) -> None:
        lines: list[Any] = []
        paths = ('../escaped', '/tmp/escaped', 'a/../../escaped', '..')
        for path in paths:
            lines += [self.header(path), b'4\nevil0\n', self.header(path, folder=True)]
        result = self.hostile(*lines, self.header('fine'), b'4\ngood0\n', {'end': True, 'problems': []})
        self.assertEqual(self.files(), {'logs/fine': b'good'})
        self.assertEqual(len(result['problems']), 2 * len(paths))
        self.assertEqual(sorted(os.listdir(self.base)), ['answer', 'ssh', 'work'])

    def test_answers_that_are_none(self) -> None:
        lines: tuple[Any, ...] = (
            self.header('x', part='../..'), self.header('x', mode='rwx'), self.header('x', mtime=None), [], 7,
            b'\xff\xfe\n', b'{' * 70000)
        for line in lines:
            with self.subTest(line=str(line)[:40]):
                result = self.hostile(self.header('fine'), b'4\ngood0\n', line)
                self.assertEqual(self.files(), {'logs/fine': b'good'})
                self.assertRegex(result['problems'][-1], 'it sent something else than files')

    def test_sizes_that_are_none(self) -> None:
        for size in (b'-1\n', b'99999999999\n', b'x\n', b'\xb2\n'):
            with self.subTest(size=size):
                self.assertRegex(self.hostile(self.header('x'), size)['problems'][-1], 'something else than files')
                self.assertEqual(self.files(), {})

    def test_a_node_that_dies_midway(self) -> None:
        result = self.hostile(self.header('fine'), b'4\ngood0\n', self.header('half'), b'4\nha')
        self.assertEqual(self.files(), {'logs/fine': b'good'})
        self.assertRegex(result['problems'][-1], 'the node one: it stopped sending')

    def test_what_it_says_is_made_printable(self) -> None:
        result = self.hostile({'end': True, 'problems': ['\x1b[2J\n\udcff']})
        self.assertEqual(result['problems'], ['\\x1b[2J\\n\\udcff'])

    def test_the_time_is_over(self) -> None:
        class Slow(io.BytesIO):
            def readline(self, *_: Any) -> bytes:
                raise module.TooLate

        with self.assertRaises(module.TooLate):
            module.receive(Slow(), {}, {'problems': []}, 1)
