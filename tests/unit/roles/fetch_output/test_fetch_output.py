# SPDX-License-Identifier: Apache-2.0
"""From a node's folder to the executor; a script stands in for ssh and runs the far end here."""
from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import sys
import time
import unittest.mock
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils
from tests.unit.roles.hostile import HostileTest

module: Any = library('fetch-output', 'fetch_output')
agent: Any = module_utils('fetch_output_agent')
ssh: Any = module_utils('fetch_output_ssh')


class FetchTest(HostileTest):
    def setUp(self) -> None:
        super().setUp()
        self.node = self.base / 'zuul-output'
        self.ssh = self.base / 'ssh'
        self.far_end('for last; do :; done\nexec sh -c "$last"')

    def far_end(self, script: str) -> None:
        self.ssh.write_text(f'#!/bin/sh\n{script}\n')
        self.ssh.chmod(0o755)

    def fetch(self, node: str = 'one', several: bool = False, **other: Any) -> dict[str, Any]:
        work = self.base / 'work'
        result: dict[str, Any] = module.fetch({
            'source': str(self.node), 'logs': str(work / 'logs'), 'logs_folder': node if several else '',
            'artifacts': str(work / 'artifacts'), 'docs': str(work / 'docs'), 'node': node, 'timeout': 60,
            'max_bytes': 1 << 20, 'max_file_bytes': 1 << 20, 'max_files': 10000,
            'host': 'node', 'port': '', 'user': '', 'python': sys.executable, 'ssh_executable': str(self.ssh),
            'ssh_args': '', 'control_dir': '', 'private_key_file': '', **other})
        result.pop('memory')    # that of this process, which is the test itself
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
        for limits, kept, said in (
                ({'max_bytes': 11}, 'abc', []),
                ({'max_bytes': 9}, 'ac', ['logs/b: 5 bytes, more than may still be sent, left there']),
                ({'max_file_bytes': 4}, 'c', ['logs/a: 5 bytes, larger than a file may be, left there',
                                              'logs/b: 5 bytes, larger than a file may be, left there']),
                ({'max_files': 2}, 'ab', ['logs/c: one more than there may be files, left there'])):
            with self.subTest(limits=limits):
                shutil.rmtree(self.base / 'work', ignore_errors=True)
                result = self.fetch('one', False, **limits)
                self.assertEqual(result['problems'], said)
                self.assertEqual(list(self.files()), [f'logs/{name}' for name in kept])

    def test_the_output_of_the_job_itself_stays(self) -> None:
        (self.base / 'work/logs').mkdir(parents=True)
        (self.base / 'work/logs/job-output.json').write_text('of Zuul')
        self.fill(**{'logs__job-output.json': 'forged', 'logs__job-output.txt': 'x', 'logs__a__job-output.json': 'y'})
        self.assertEqual(self.fetch()['problems'], [
            'logs/job-output.json: this is the name of a file of Zuul, left out',
            'logs/job-output.txt: this is the name of a file of Zuul, left out'])
        self.assertEqual(self.files(), {'logs/job-output.json': b'of Zuul', 'logs/a/job-output.json': b'y'})

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


class TestSwapped(FetchTest):
    """What was looked at is a link by the time that it is used."""

    def test_files_and_folders(self) -> None:
        self.outside.mkdir()
        (self.outside / 'key').write_text('canary')
        for kind in ('file', 'folder'):
            with self.subTest(kind=kind):
                shutil.rmtree(self.node, ignore_errors=True)
                self.fill(**{'logs__a': '1', f'logs__{"s" if kind == "file" else "s__key"}': 'mine', 'logs__z': '2'})
                swapped = self.node / 'logs/s'

                def stat(name: str, *arguments: Any, swapped: Path = swapped, kind: str = kind, **options: Any
                         ) -> os.stat_result:
                    status = os.stat(name, *arguments, **options)
                    if name == 's':
                        swapped.rename(swapped.with_name('.s'))
                        swapped.symlink_to(self.outside / ('key' if kind == 'file' else ''))
                    return status

                out = io.BytesIO()
                with unittest.mock.patch.object(agent, 'os', wraps=os, stat=stat, O_NOFOLLOW=os.O_NOFOLLOW):
                    agent.serve(io.BytesIO(agent.dump({'root': str(self.node), 'parts': ['logs'], 'max_files': 99,
                                                       'max_bytes': 99, 'max_file_bytes': 99})), out)
                self.assertTrue(swapped.is_symlink())
                self.assertNotIn(b'canary', out.getvalue())
                self.assertIn(b'"path": "z"', out.getvalue())
                self.assertRegex(out.getvalue(), b'logs/s: (Too many levels of symbolic links|Not a directory)')


class TestTrouble(FetchTest):
    def test_no_node(self) -> None:
        self.far_end('echo no route to host >&2; exit 255')
        result = self.fetch()
        self.assertEqual(result['files'], 0)
        self.assertRegex(result['problems'][0], 'the node one: .*exit code 255.*no route to host')
        self.assertFalse((self.base / 'work').exists())

    def hostile(self, *lines: Any, limits: dict[str, int] | None = None) -> dict[str, Any]:
        """Fetch from a node that sends *lines* of JSON, or bytes as they are."""
        answer = ssh.READY + b''.join(line if isinstance(line, bytes) else json.dumps(line).encode() + b'\n'
                                      for line in lines)
        (self.base / 'answer').write_bytes(answer)
        self.far_end(f'read size; head -c "$size" >/dev/null; read request; cat {self.base}/answer')
        return self.fetch('one', False, **(limits or {}))

    @staticmethod
    def header(path: str, **other: Any) -> dict[str, Any]:
        return {'part': 'logs', 'path': path, 'folder': False, 'mode': 0o644, 'mtime': 1, **other}

    def test_paths_that_lead_elsewhere(self) -> None:
        lines: list[Any] = []
        paths = ('../escaped', '/tmp/escaped', 'a/../../escaped', '..')
        for path in paths:
            lines += [self.header(path), b'4\nevil0\n', self.header(path, folder=True)]
        result = self.hostile(*lines, self.header('fine'), b'4\ngood0\n', {'end': True})
        self.assertEqual(self.files(), {'logs/fine': b'good'})
        self.assertEqual(len(result['problems']), 2 * len(paths))
        self.assertEqual(sorted(os.listdir(self.base)), ['answer', 'ssh', 'work'])

    def test_answers_that_are_none(self) -> None:
        lines: tuple[Any, ...] = (
            self.header('x', part='../..'), self.header('x', mode='rwx'), self.header('x', mtime=None), [], 7,
            {'problem': 7}, {'end': False},
            b'\xff\xfe\n', b'{' * 70000,
            b'[' * 60000 + b'\n', b'{"end": ' + b'9' * 5000 + b'}\n')
        for line in lines:
            with self.subTest(line=str(line)[:40]):
                result = self.hostile(self.header('fine'), b'4\ngood0\n', line)
                self.assertEqual(self.files(), {'logs/fine': b'good'})
                self.assertRegex(result['problems'][-1], 'it sent something else than files')

    def test_sizes_that_are_none(self) -> None:
        for size in (b'-1\n', b'99999999999\n', b'x\n', b'\xb2\n', b'9' * 60000 + b'\n', b'1' * 15):
            with self.subTest(size=size[:20]):
                self.assertRegex(self.hostile(self.header('x'), size)['problems'][-1], 'something else than files')
                self.assertEqual(self.files(), {})

    def test_more_than_it_may_send(self) -> None:
        lines = [line for name in 'abc' for line in (self.header(name), b'4\ngood0\n')]
        for limits, kept, said in (({'max_bytes': 9}, 2, 'it sent more than 9 bytes (fetch_output_max_bytes); what'),
                                   ({'max_files': 1}, 1, 'it sent more than 1 files (fetch_output_max_files); what')):
            shutil.rmtree(self.base / 'work', ignore_errors=True)
            result = self.hostile(*lines, {'end': True}, limits=limits)
            self.assertEqual(len(self.files()), kept)
            self.assertIn(said, result['problems'][0])

    def test_the_same_path_as_file_and_folder(self) -> None:
        result = self.hostile(self.header('a'), b'1\nx0\n', self.header('a', folder=True), self.header('a/b'),
                              b'1\nx0\n', self.header('c', folder=True), self.header('c'), b'1\nx0\n', {'end': True})
        self.assertEqual(self.files(), {'logs/a': b'x'})
        self.assertEqual([line.partition(':')[0] for line in result['problems']], ['logs/a', 'logs/a/b', 'logs/c'])

    def test_names_and_depths_that_there_cannot_be(self) -> None:
        result = self.hostile(*(self.header(path, folder=True) for path in (
            'a/' * 300 + 'b', '\ud800', 'x' * 300, 'y' * 2000, 'a\nb')), self.header('t', mtime=1e308), b'0\n',
            b'{"part": "logs", "path": "n", "folder": false, "mode": 420, "mtime": NaN}\n0\n', {'end': True})
        self.assertEqual(self.files(), {})
        self.assertEqual(len(result['problems']), 7)

    def test_complaints_without_an_end(self) -> None:
        result = self.hostile(*[{'problem': 'x' * 60000}] * 1500, {'end': True})
        self.assertEqual((len(result['problems']), len(result['problems'][0])), (1001, 500))
        result = self.hostile(*[self.header('..', folder=True)] * 1500, {'end': True})
        self.assertEqual(len(result['problems']), 1001)

    def test_a_greeting_without_an_end(self) -> None:
        self.far_end('yes | tr -d "\\n"')
        self.assertIn('no Python program could be started', self.fetch()['problems'][0])

    def test_errors_without_an_end(self) -> None:
        self.far_end(f'exec {sys.executable} -c "import os\nwhile True: os.write(2, bytes(1 << 20))"')
        self.assertIn('exit code', self.fetch()['problems'][0])

    def test_a_stream_without_an_end(self) -> None:
        self.far_end(f'read size; head -c "$size" >/dev/null; read request; printf "%s" "{ssh.READY.decode()}"; '
                     f'exec {sys.executable} -c "import os\nwhile True: os.write(1, bytes(1 << 20))"')
        self.assertIn('something else than files', self.fetch()['problems'][0])

    def test_a_node_that_says_nothing(self) -> None:
        def ring(*_: Any) -> None:
            raise module.TooLate

        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, ring))
        self.far_end('exec sleep 4')
        signal.alarm(1)
        start = time.monotonic()
        self.assertIn('not done after 60 seconds (fetch_output_timeout)', self.fetch()['problems'][0])
        self.assertLess(time.monotonic() - start, 20)

    def test_links_where_a_job_could_put_them(self) -> None:
        self.fill(logs__a='1', artifacts__b='2')
        self.outside.mkdir()
        for place, several in (('logs', False), ('logs', True), ('logs/one', True), ('artifacts', False)):
            with self.subTest(place=place):
                shutil.rmtree(self.base / 'work', ignore_errors=True)
                (self.base / 'work' / place).parent.mkdir(parents=True)
                (self.base / 'work' / place).symlink_to(self.outside)
                self.assertRegex(self.fetch('one', several)['problems'][0], 'the node one: .*Not a directory')
                self.assertEqual(os.listdir(self.outside), [])

    def test_a_node_that_dies_midway(self) -> None:
        result = self.hostile(self.header('fine'), b'4\ngood0\n', self.header('half'), b'4\nha')
        self.assertEqual(self.files(), {'logs/fine': b'good'})
        self.assertRegex(result['problems'][-1], 'the node one: it stopped sending')

    def test_what_it_says_is_made_printable(self) -> None:
        result = self.hostile({'problem': '\x1b[2J\n\udcff'}, {'end': True})
        self.assertEqual(result['problems'], ['\\x1b[2J\\n\\udcff'])


class TestHostile(FetchTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree = self.node / 'logs'

    def test_the_worst_output(self) -> None:
        self.make('--empty', '2000')
        result = self.fetch()
        self.assertEqual(self.wrong(self.base / 'work/logs', empty=2000,
                                    lacks=['newline', 'escape', 'folder']), ["b'hard/outside' came from outside"])
        self.assertIn('logs/sparse/a-huge-one: 10737418240 bytes, larger than a file may be, left there',
                      result['problems'])

    def test_swapped_for_links_meanwhile(self) -> None:
        self.make('--empty', '0', '--sparse', '0')
        (self.node / 'logs/hard/outside').unlink()
        self.swap(60)
        for _ in range(2):     # of two hundred things each
            shutil.rmtree(self.base / 'work', ignore_errors=True)
            self.assertFalse([line for line in self.fetch()['problems'] if 'node one' in line])
            self.assertEqual(self.wrong(self.base / 'work/logs', lacks=[
                'newline', 'escape', 'folder', 'swapped file', 'swapped folder']), [])
