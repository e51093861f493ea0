# SPDX-License-Identifier: Apache-2.0
"""What is asked of docker and podman. A script stands in for them; tests/functional asks the real podman."""
from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tests.unit.roles import library

module: Any = library('collect-container-logs', 'collect_container_logs')

A, B, C = (letter * 64 for letter in 'abc')


class TestNames(unittest.TestCase):
    def test_cases(self) -> None:
        for listing, expected in (
                ('', {}), (f'{A} web\n{B} db\n', {A: 'web.txt', B: 'db.txt'}),
                (f'{A} web,other/alias\n', {A: 'web.txt'}),
                (f'{A} \n{B}\n', {A: 'a' * 12 + '.txt', B: 'b' * 12 + '.txt'}),
                (f'{A} a/b\n{B} a:b\n', {A: 'a_b.txt', B: 'a_b-bbbbbbbbbbbb.txt'}),
                (f'{A} ../../x\n{B} -rf\n{C} .x\n', {A: '_._.._x.txt', B: '_rf.txt', C: '_x.txt'}),
                ('--help x\nWARNING: no\n' + 'g' * 64 + ' x\n', {}), (f'{A} <b>$(x)\x1b\n', {A: '_b___x__.txt'}),
                (f'{A} ' + 'x' * 300, {A: 'x' * 150 + '.txt'})):
            with self.subTest(listing=listing[-40:]):
                self.assertEqual(module.names_of(listing), expected)


class TestCollect(unittest.TestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.base)
        (self.base / 'bin').mkdir()

    def program(self, name: str, text: str) -> None:
        path = self.base / 'bin' / name
        path.write_text(f'#!/bin/sh\n{text}\n')
        path.chmod(0o755)

    def collect(self, command: str = 'docker', roots: tuple[str, ...] = (), **other: Any) -> Any:
        with mock.patch.dict(os.environ, PATH=f'{self.base}/bin:/bin:/usr/bin'), \
                mock.patch.object(module, 'ROOTS_PODMAN', roots), \
                mock.patch.object(module.os, 'geteuid', return_value=1000), \
                mock.patch.object(module.stream.os, 'chown'):
            work = module.Collector({
                'command': command, 'dest': str(self.base / 'out'), 'timeout': 20, 'max_bytes': 1000, **other})
            work.run()
        return work

    def files(self) -> dict[str, str]:
        out = self.base / 'out'
        return {str(path.relative_to(out)): path.read_text() for path in sorted(out.rglob('*')) if path.is_file()}

    def test_all_containers(self) -> None:
        self.program('docker', f'test $1 = ps && printf "%s web\\n%s db\\n" {A} {B} || echo "$@"')
        self.program('sudo', 'exit 1')
        work = self.collect()
        self.assertEqual((work.changed, work.files, work.problems), (True, ['web.txt', 'db.txt'], []))
        self.assertEqual(self.files(), {'web.txt': f'logs {A}\n', 'db.txt': f'logs {B}\n'})
        self.assertFalse(self.collect().changed)

    def test_no_command(self) -> None:
        work = self.collect('self-test-no-such-command')
        self.assertEqual((work.changed, work.files, work.problems), (False, [], []))
        self.assertFalse((self.base / 'out').exists())

    def test_what_the_user_may_not_ask_is_asked_through_sudo(self) -> None:
        self.program('docker', 'test "$AS" = root || { echo denied >&2; exit 1; }\n'
                               f'test $1 = ps && echo {A} web || echo x')
        self.program('sudo', 'shift; test "$1" = true || shift; AS=root exec "$@"')
        self.assertEqual(self.collect().problems, [])
        self.assertEqual(self.files(), {'web.txt': 'x\n'})
        self.program('sudo', 'exit 1')
        self.assertEqual(self.collect().problems, [
            'docker: the containers of the user are not known: exit code 1: denied'])

    def test_podman_has_two_sets(self) -> None:
        self.program('podman', f'test $1 = ps && echo {A} web || echo "of ${{AS-user}}"')
        self.program('sudo', 'shift; test "$1" = true || shift; AS=root exec "$@"')
        self.assertEqual(self.collect('podman', (str(self.base),)).files, ['web.txt', 'root/web.txt'])
        self.assertEqual(self.files(), {'web.txt': 'of user\n', 'root/web.txt': 'of root\n'})
        self.assertEqual(self.collect('podman').files, ['web.txt'])

    def test_one_that_hangs_takes_nothing_from_the_others(self) -> None:
        self.program('docker', f'case $1$2 in ps*) printf "%s web\\n%s db\\n" {A} {B};;\n'
                               f'*{A}) echo a; sleep 60;; *) echo b; esac')
        work = self.collect(timeout=3)
        self.assertEqual(self.files(), {'web.txt': 'a\n', 'db.txt': 'b\n'})
        self.assertRegex(work.problems[0], r'^web.txt: not done after 1\.\d of 3 seconds')

    def test_a_service_that_hangs(self) -> None:
        self.program('docker', 'sleep 60')
        self.program('sudo', 'exit 1')
        self.assertEqual(self.collect(timeout=1).problems, [
            'docker: the containers of the user are not known: no answer'])

    def test_answers_that_are_none(self) -> None:
        self.program('sudo', 'exit 1')
        self.program('docker', 'yes')
        self.assertRegex(self.collect().problems[0], 'its list is longer than 4194304 bytes')
        self.program('docker', f'test $1 = ps && echo {A} web || {{ seq 1000; echo broken >&2; exit 2; }}')
        work = self.collect()
        self.assertRegex(self.files()['web.txt'],
                         r'^\[the \d+ bytes before this are left out\]\n(.*\n)*1000\nbroken\n$')
        self.assertEqual(work.problems[0], 'web.txt: docker logs: exit code 2')
        self.assertRegex(work.problems[1], 'web.txt: longer than 1000 bytes')
