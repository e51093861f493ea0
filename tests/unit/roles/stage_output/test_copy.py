# SPDX-License-Identifier: Apache-2.0
"""What is staged, under which name, and what is not."""
from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library, module_utils
from tests.unit.roles.hostile import HostileTest

copy: Any = module_utils('stage_output_copy')
module: Any = library('stage-output', 'stage_output')


class TestNames(unittest.TestCase):
    def test_text_names(self) -> None:
        for name, expected in (('x.conf', 'x_conf.txt'), ('x.log', 'x.log'), ('.localrc.conf', '.localrc_conf.txt'),
                               ('conf', 'conf'), ('.conf', '_conf.txt'), ('x.conf.old', 'x.conf.old'),
                               ('a b.conf', 'a b_conf.txt'), ('x.', 'x.')):
            with self.subTest(name=name):
                self.assertEqual(copy.text_name(name, ['conf', 'ini']), expected)

    def test_no_two_names_become_one(self) -> None:
        cases: tuple[tuple[list[str], bool, dict[str, str]], ...] = (
            (['a.conf', 'a.txt'], False, {'a.conf': 'a_conf.txt', 'a.txt': 'a.txt'}),
            (['a.conf', 'a_conf.txt'], False, {'a.conf': 'a.conf', 'a_conf.txt': 'a_conf.txt'}),
            (['a.conf', 'a_conf.txt'], True, {'a.conf': 'a_conf.txt.gz', 'a_conf.txt': 'a_conf.txt'}),
            (['a', 'a.gz', 'b'], True, {'a': 'a', 'a.gz': 'a.gz', 'b': 'b.gz'}),
            (['x.PNG'], True, {'x.PNG': 'x.PNG'}),
            (['x' * 252], True, {'x' * 252: 'x' * 252 + '.gz'}), (['ü' * 127], True, {'ü' * 127: 'ü' * 127}))
        for names, compress, expected in cases:
            with self.subTest(names=names, compress=compress):
                settled = copy.settle(dict.fromkeys(names, True), ['conf'], compress)
                self.assertEqual({name: target for name, (target, _) in settled.items()}, expected)
                self.assertTrue(all(packed is (target != name and target.endswith('.gz'))
                                    for name, (target, packed) in settled.items()))

    def test_folders_keep_their_names(self) -> None:
        self.assertEqual(copy.settle({'etc.conf': False}, ['conf'], True), {'etc.conf': ('etc.conf', False)})

    def test_sources_of_one_name(self) -> None:
        self.assertEqual(copy.names_of(['/b/x', '/a/x', '/c/.x', '/c/_.x', '/_c/.x']), {
            '/a/x': 'x', '/b/x': 'b_x', '/_c/.x': '_.x', '/c/.x': 'c_.x', '/c/_.x': 'c__.x'})
        self.assertEqual(list(copy.names_of(['/a_b/x', '/a/b_x', '/a/b/x', '/0/x']).values()),
                         ['x', 'a_b_x', 'b_x', 'a_b_x_'])

    def test_the_request(self) -> None:
        with mock.patch.dict(os.environ, HOME='/home/zuul'):
            sources, problems = module.wanted([
                {'key': '/a//b/', 'value': 'logs'}, {'key': '~/c', 'value': 'docs'}, {'key': 'd', 'value': 'artifacts'},
                {'key': '/e', 'value': None}, {'key': '/f', 'value': 'log'}, {'key': '/', 'value': 'logs'},
                {'key': '/a/b', 'value': 'docs'}, {'key': 'x\0', 'value': 'docs'}, {'key': '', 'value': 'docs'}])
        self.assertEqual(sources, {'/a/b': 'logs', '/home/zuul/c': 'docs', '/home/zuul/d': 'artifacts'})
        self.assertEqual(problems, [
            "zuul_copy_output: '/f' is to go to 'log', which is none of logs, artifacts, docs. Write one of these, or "
            "null to leave it out.",
            "zuul_copy_output: '/' is not the path of a file or a folder.",
            "zuul_copy_output: '/a/b' is to go to 'logs' and to 'docs'; it goes to the first.",
            "zuul_copy_output: 'x\0' is not the path of a file or a folder.",
            "zuul_copy_output: '' is not the path of a file or a folder."])

    def test_more(self) -> None:
        home = os.path.expanduser('~')
        more = module.More([
            {'path': 'a', 'part': 'logs'}, {'path': '/b/', 'part': 'docs', 'name': 'x/y'},
            {'path': '/c', 'part': 'docs', 'name': ''}, {'path': '/d', 'part': 'log'}, {'part': 'logs'},
            {'path': '/', 'part': 'logs'}, {'path': '/e', 'part': 'logs', 'name': '../f'},
            {'path': '/e', 'part': 'logs', 'name': '/f'}, {'path': '/e', 'part': 'logs', 'name': 'f/'}])
        self.assertEqual(more.parts, {f'{home}/a': 'logs', '/b': 'docs', '/c': 'docs'})
        self.assertEqual(more.names, {'/b': 'x/y', '/c': ''})
        self.assertEqual(more.problems, [
            "'/d': its part is none of logs, artifacts, docs, left out",
            "'': it is not the path of a file or a folder, left out",
            "'/': it is not the path of a file or a folder, left out",
            *["'/e': its name leads elsewhere, left out"] * 3])
        self.assertEqual(more.found(['/b', '/x', f'{home}/a']), ['a', '/b/'])

    def test_extensions(self) -> None:
        for given, expected in ((None, []), ({}, []), ({'conf': True, 'log': None, '.ini': True}, ['conf', 'ini']),
                                (['conf', '.log'], ['conf', 'log']), ('conf', ['conf']), ([7], ['7'])):
            with self.subTest(given=given):
                self.assertEqual(module.extensions(given), expected)


class StageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        self.source = self.base / 'source'
        self.source.mkdir()
        self.out = self.base / 'out'

    def stage(self, sources: dict[str, str] | None = None, **other: Any) -> dict[str, Any]:
        result: dict[str, Any] = copy.stage({
            'sources': {str(self.base / name): part for name, part in (sources or {'source': 'logs'}).items()},
            'stage_dir': str(self.out), 'extensions': ['conf'], 'compress': False, 'max_bytes': 1 << 30, 'seconds': 60,
            **other})
        return result

    def problems(self, **other: Any) -> list[str]:
        return [line.replace(f'{self.base}/', '') for line in self.stage(**other)['problems']]

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.out)): path.read_bytes() for path in self.out.rglob('*') if path.is_file()}


class TestStage(StageTest):
    def test_files_and_folders(self) -> None:
        (self.source / 'deep' / 'empty').mkdir(parents=True)
        (self.source / 'deep' / '.hidden').write_text('1')
        (self.source / 'x.conf').write_text('22')
        (self.base / 'tool').write_text('333')
        (self.base / 'tool').chmod(0o700)
        (self.base / '.page').write_text('4')
        wanted = {'source': 'logs', 'tool': 'artifacts', '.page': 'docs', 'none': 'logs', 'tool/none': 'docs'}
        result = self.stage(wanted)
        self.assertEqual(self.files(), {'logs/source/deep/.hidden': b'1', 'logs/source/x_conf.txt': b'22',
                                        'artifacts/tool': b'333', 'docs/_.page': b'4'})
        self.assertTrue((self.out / 'logs/source/deep/empty').is_dir())
        self.assertEqual((self.out / 'artifacts/tool').stat().st_mode & 0o7777, 0o755)
        self.assertEqual(result, {'changed': True, 'files': 4, 'bytes': 7, 'denied': False, 'problems': [],
                                  'missing': [str(self.base / 'none'), str(self.base / 'tool/none')],
                                  'found': [str(self.base / name) for name in ('source', 'tool', '.page')]})
        again = self.stage(wanted)
        self.assertEqual((again['changed'], again['files']), (False, 0))
        (self.source / 'x.conf').write_text('55')
        self.assertEqual(self.stage(wanted)['files'], 1)
        self.assertEqual(self.files()['logs/source/x_conf.txt'], b'55')

    def test_only_logs_are_renamed_and_compressed(self) -> None:
        (self.source / 'x.conf').write_text('1' * 1000)
        (self.source / 'y.gz').write_text('2')
        self.stage({'source': 'artifacts'}, compress=True)
        self.assertEqual(sorted(self.files()), ['artifacts/source/x.conf', 'artifacts/source/y.gz'])
        shutil.rmtree(self.out)
        self.assertTrue(self.stage(compress=True)['changed'])
        files = self.files()
        self.assertEqual(sorted(files), ['logs/source/x_conf.txt.gz', 'logs/source/y.gz'])
        self.assertEqual(gzip.decompress(files['logs/source/x_conf.txt.gz']), b'1' * 1000)
        self.assertFalse(self.stage(compress=True)['changed'])
        status = (self.source / 'x.conf').stat()
        (self.source / 'x.conf').write_text('3' * 999)
        os.utime(self.source / 'x.conf', ns=(status.st_mtime_ns, status.st_mtime_ns))
        self.assertTrue(self.stage(compress=True)['changed'])

    def test_a_source_may_be_a_link(self) -> None:
        (self.source / 'log').write_text('1')
        (self.base / 'latest').symlink_to('source')
        self.stage({'latest': 'logs'})
        self.assertEqual(self.files(), {'logs/latest/log': b'1'})

    def test_sources_of_one_name_stay_apart(self) -> None:
        for name in ('a', 'b'):
            (self.base / name).mkdir()
            (self.base / name / 'log').write_text(name)
        word = f'{self.base}/b/log'.strip('/').replace('/', '_')
        self.assertEqual(self.problems(sources={'b/log': 'logs', 'a/log': 'logs'}),
                         [f'b/log: another one has that name, this is logs/{word}'])
        self.assertEqual(self.files(), {'logs/log': b'a', f'logs/{word}': b'b'})

    def test_a_killed_run_is_made_good(self) -> None:
        (self.source / 'log').write_text('1')
        self.out.mkdir()
        (self.out / '.stage-output.new').write_text('half')
        self.stage()
        self.assertEqual(self.files(), {'logs/source/log': b'1'})

    def test_more_than_allowed(self) -> None:
        for name, size in (('a', 5), ('b', 9), ('c', 3)):
            (self.source / name).write_text('x' * size)
        self.assertEqual(self.problems(max_bytes=8), [
            'source/b: 9 bytes, left out: more than stage_output_max_bytes leaves room for (3 of 8)'])
        self.assertEqual(sorted(self.files()), ['logs/source/a', 'logs/source/c'])

    def test_the_time_is_over(self) -> None:
        (self.source / 'log').write_text('1')
        self.assertEqual(self.problems(seconds=-1)[0],
                         'not done after -1 seconds (stage_output_timeout); what was staged until then is kept')

    def test_the_list_of_problems_ends(self) -> None:
        for number in range(250):
            (self.source / str(number)).symlink_to('x')
        problems = self.problems()
        self.assertEqual((len(problems), problems[-1]), (copy.MAX_PROBLEMS + 1, 'and 50 more'))


class TestMore(StageTest):
    """Sources that have names of their own."""

    def more(self, *sources: tuple[str, str, str | None], pattern: bool = False) -> dict[str, Any]:
        self.given = [{'path': str(self.base / path), 'part': part, 'name': name, 'pattern': pattern}
                      for path, part, name in sources]
        result: dict[str, Any] = module.stage({
            'sources': [], 'more': self.given, 'fact': 'own_problems', 'stage_dir': str(self.out),
            'extensions': None, 'compress': False, 'timeout': 60, 'max_bytes': 1 << 30})
        return result

    def test_names(self) -> None:
        (self.source / 'in').mkdir()
        (self.source / 'in' / 'x.conf').write_text('x')
        (self.source / 'y').write_text('y')
        again = self.more(
            ('source', 'docs', 'deep/er'), ('source/in', 'artifacts', ''), ('source/y', 'artifacts', 'z'),
            ('nowhere', 'logs', 'n'), ('source/in/x.conf', 'logs', ''))
        self.assertEqual(self.files(), {
            'docs/deep/er/in/x.conf': b'x', 'docs/deep/er/y': b'y', 'artifacts/x.conf': b'x', 'artifacts/z': b'y',
            'logs/x.conf': b'x'})
        self.assertEqual(again['found'], [str(self.base / path) for path in (
            'source', 'source/in', 'source/y', 'source/in/x.conf')])
        self.assertEqual(again['ansible_facts'], {'own_problems': [], 'stage_output_found': again['found']})
        self.assertEqual(again['missing'], [str(self.base / 'nowhere')])

    def test_what_is_there_already_counts_as_found(self) -> None:
        (self.source / 'y').write_text('y')
        self.assertTrue(self.more(('source', 'docs', 'a/b'))['changed'])
        again = self.more(('source', 'docs', 'a/b'))
        self.assertEqual((again['changed'], again['found']), (False, [str(self.source)]))

    def test_an_empty_folder_is_nothing(self) -> None:
        (self.source / 'empty').mkdir()
        self.assertEqual(self.more(('source', 'docs', None))['found'], [])

    def test_patterns(self) -> None:
        for path in ('one[1]/log', 'two/log', 'two/other', 'three'):
            (self.source / path).parent.mkdir(parents=True, exist_ok=True)
            (self.source / path).write_text(path)
        result = self.more(('source/*/log', 'logs', 'nox/*'), ('source/*/nothing', 'logs', '*'), pattern=True)
        self.assertEqual(self.files(), {'logs/nox/one[1]': b'one[1]/log', 'logs/nox/two': b'two/log'})
        self.assertEqual(result['found'], [str(self.source / '*/log')])

    def test_only_some_of_a_pattern(self) -> None:
        for path in ('a', 'b', 'c'):
            (self.source / path).mkdir()
            (self.source / path / 'log').write_text(path)
        (self.source / 'd').symlink_to(self.source / 'a')
        (self.source / 'e').mkdir()
        (self.source / 'e' / 'log').symlink_to('/etc/passwd')
        pattern = str(self.source / '*' / 'log')
        for only, expected in ((['a', 'c'], 'ac'), (['a', 'x'], 'abc'), ([], 'abc'), (['d'], 'abc')):
            with self.subTest(only):
                found = module.matches(pattern, 'tox/*', only)
                self.assertEqual(list(found.values()), [f'tox/{one}' for one in expected])

    def test_no_link_of_the_stage_folder_is_followed(self) -> None:
        (self.source / 'y').write_text('y')
        (self.base / 'outside').mkdir()
        (self.out / 'docs').mkdir(parents=True)
        (self.out / 'docs' / 'a').symlink_to(self.base / 'outside')
        self.assertEqual(len(self.more(('source', 'docs', 'a/b'))['problems']), 1)
        self.assertEqual(list((self.base / 'outside').iterdir()), [])


class TestHostile(StageTest):
    NAMES = (b"it's.log", b'$(touch x) "y"', b'lat\xe9n', '☃'.encode(), b'-rf', b'.hidden', b'a\nb', b'\x1b[2J',
             b'<script>', b'x' * 255, b' ')

    def test_odd_names(self) -> None:
        for name in self.NAMES:
            Path(os.fsdecode(os.fsencode(self.source) + b'/' + name)).write_text('x')
        self.assertEqual(self.stage()['files'], len(self.NAMES))
        self.assertEqual(sorted(os.listdir(os.fsencode(self.out / 'logs/source'))), sorted(self.NAMES))

    def test_odd_sources(self) -> None:
        names = [os.fsdecode(name) for name in self.NAMES if name != b' ']
        for name in names:
            (self.base / name).write_text('x')
        self.assertEqual(self.stage(dict.fromkeys(names, 'docs'))['problems'], [])
        self.assertEqual(len(self.files()), len(names))

    def test_what_is_no_file_is_left_out(self) -> None:
        private = self.base / 'source-private'
        private.mkdir()
        (private / 'key').write_text('key')
        (self.source / 'log').write_text('1')
        (self.source / 'absolute').symlink_to(private / 'key')
        (self.source / 'relative').symlink_to('../source-private')
        (self.source / 'loop').symlink_to('.')
        os.mkfifo(self.source / 'pipe')
        os.mkfifo(self.base / 'pipe')
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(self.source / 'plug'))
        problems = self.problems(sources={'source': 'logs', 'pipe': 'logs'})
        self.assertEqual(self.files(), {'logs/source/log': b'1'})
        self.assertEqual(problems, [
            'pipe: a pipe, left out', 'source/absolute: a link, left out', 'source/loop: a link, left out',
            'source/pipe: a pipe, left out', 'source/plug: a socket, left out', 'source/relative: a link, left out'])

    def test_links_in_the_stage_folder_are_not_followed(self) -> None:
        outside = self.base / 'outside'
        outside.mkdir()
        (outside / 'log').write_text('mine')
        (self.source / 'log').write_text('1')
        (self.base / 'log').write_text('2')
        self.out.mkdir()
        (self.out / 'docs').symlink_to(outside)
        (self.out / 'logs').mkdir()
        (self.out / 'logs/source').symlink_to(outside)
        (self.out / 'artifacts').mkdir()
        (self.out / 'artifacts/log').symlink_to(outside / 'log')
        problems = self.problems(sources={'source': 'logs', 'log': 'artifacts'})
        self.assertRegex(' '.join(problems), '^source: Not a directory|^source: Too many levels')
        self.assertRegex(self.problems(sources={'log': 'docs'})[0], '^out/docs: ')
        self.assertEqual([(path.name, path.read_text()) for path in outside.iterdir()], [('log', 'mine')])
        self.assertEqual((self.out / 'artifacts/log').read_text(), '2')

    def test_the_stage_folder_inside_of_a_source(self) -> None:
        self.out = self.source
        (self.source / 'log').write_text('1')
        self.assertEqual(self.problems(), ['source/logs: what was staged already, left out'])
        self.assertEqual(sorted(self.files()), ['log', 'logs/source/log'])

    def test_a_big_sparse_file(self) -> None:
        with open(self.source / 'sparse', 'wb') as file:
            file.truncate(10 << 30)
        (self.source / 'tail').write_text('1')
        self.assertRegex(self.problems(max_bytes=4 << 30)[0], 'source/sparse: 10737418240 bytes, left out')
        self.assertEqual(self.files(), {'logs/source/tail': b'1'})

    def test_deep_folders(self) -> None:
        handle = os.open(self.source, os.O_RDONLY)
        for depth in range(copy.MAX_DEPTH + 10):
            os.mkdir('long-name-of-a-folder', dir_fd=handle)
            deeper = os.open('long-name-of-a-folder', os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = deeper
            if depth == 200:
                os.close(os.open('log', os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        os.close(handle)
        result = self.stage()
        self.assertEqual(result['files'], 1)
        self.assertRegex(result['problems'][0], 'more than 256 folders deep, left out$')
        # the standard library cannot remove what is deeper than a path may be long
        subprocess.run(['rm', '-rf', self.source, self.out], check=True, timeout=60)
        self.source.mkdir()

    def test_many_empty_files_in_bounded_memory(self) -> None:
        program = (
            'import json, re, sys; sys.path.insert(0, sys.argv[1]); import stage_output_copy as copy\n'
            'out = copy.stage(json.loads(sys.argv[2])); status = open("/proc/self/status").read()\n'
            'peak = int(re.search(r"VmHWM:\\s*([0-9]+)", status)[1])\n'
            'print(out["files"], out["problems"], peak < 200 * 1024)')
        for number in range(5000):
            os.close(os.open(self.source / str(number), os.O_CREAT | os.O_WRONLY))
        with open(self.source / 'big', 'wb') as file:
            file.truncate(100 << 20)
        request = json.dumps({
            'sources': {str(self.source): 'logs'}, 'stage_dir': str(self.out), 'extensions': [], 'compress': True,
            'max_bytes': 1 << 30, 'seconds': 120})
        done = subprocess.run([sys.executable, '-c', program, os.path.dirname(copy.__file__), request],
                              capture_output=True, text=True, timeout=120, check=True)
        self.assertEqual(done.stdout.split(), ['5001', '[]', 'True'])


class TestWorst(HostileTest):
    """The worst output that a job can leave, but for the other name of a file outside: its content is the job's own."""

    def stage(self) -> list[str]:
        result = copy.stage({
            'sources': {str(self.tree): 'logs'}, 'stage_dir': str(self.base / 'out'), 'extensions': [],
            'compress': False, 'max_bytes': 1 << 30, 'seconds': 60})
        return [line.replace(f'{self.tree}/', '') for line in result['problems']]

    def test_nothing_leads_out_and_the_rest_is_staged(self) -> None:
        self.make('--empty', '1000')
        (self.tree / 'hard/outside').unlink()
        problems = self.stage()
        self.assertEqual(self.wrong(self.base / 'out/logs', empty=1000), [])
        self.assertEqual({line.partition(': ')[2].partition(':')[0] for line in problems} - {'a device, left out'}, {
            'a link, left out', 'a pipe, left out', 'a socket, left out', '10737418240 bytes, left out'})

    def test_what_becomes_a_link_meanwhile(self) -> None:
        self.make('--empty', '0', '--deep', '0')
        (self.tree / 'hard/outside').unlink()
        self.swap(60)
        for _ in range(20):     # and two hundred that are swapped each time
            self.stage()
            shutil.rmtree(self.base / 'out/logs/logs/swap')
        self.stop_swapping()
        self.stage()
        self.assertEqual(self.wrong(self.base / 'out/logs'), [])


class TestRights(StageTest):
    """Root's part runs as a program of its own; here a script stands in for sudo and runs it with the same rights."""

    def run_module(self, sudo: str) -> dict[str, Any]:
        folder = self.base / 'bin'
        folder.mkdir()
        (folder / 'sudo').write_text(f'#!/bin/sh\n{sudo}\n')
        (folder / 'sudo').chmod(0o755)
        (self.source / 'log').write_text('1')
        denied = copy.Stage._file
        state = {'first': True}

        def deny(*args: Any) -> None:
            if state['first']:
                raise PermissionError(13, 'Permission denied')
            denied(*args)

        with mock.patch.dict(os.environ, PATH=f'{folder}:{os.environ["PATH"]}'), \
                mock.patch.object(copy.Stage, '_file', deny), \
                mock.patch.object(module.os, 'geteuid', return_value=1000):
            result: dict[str, Any] = module.stage({
                'more': [], 'fact': 'stage_output_problems', 'sources': [{'key': str(self.source), 'value': 'logs'}],
                'stage_dir': str(self.out), 'extensions': None, 'compress': False, 'timeout': 60, 'max_bytes': 1 << 20})
        return result

    def test_what_the_user_may_not_read_is_staged_through_sudo(self) -> None:
        result = self.run_module('shift 2; exec "$@"')
        self.assertEqual(result, {'changed': True, 'files': 1, 'bytes': 1, 'missing': [], 'problems': [], 'found': [],
                                  'ansible_facts': {'stage_output_problems': [], 'stage_output_found': []}})
        self.assertEqual(self.files(), {'logs/source/log': b'1'})

    def test_without_sudo_it_is_told(self) -> None:
        result = self.run_module('echo "sudo: a password is required" >&2; exit 1')
        self.assertEqual(result['problems'][0], f'{self.source}/log: Permission denied')
        self.assertRegex(result['problems'][1],
                         'what .* may not read is left out: sudo: sudo: a password is required$')
        self.assertEqual(result['ansible_facts'], {
            'stage_output_problems': result['problems'], 'stage_output_found': []})

    def test_a_sudo_that_hangs_is_not_waited_for(self) -> None:
        began = time.monotonic()
        with mock.patch.object(module, '_LONGER', -59.5):
            result = self.run_module('exec sleep 20')
        self.assertLess(time.monotonic() - began, 15)
        self.assertRegex(result['problems'][1], 'what .* may not read is left out: sudo does not end$')
