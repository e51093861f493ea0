# SPDX-License-Identifier: Apache-2.0
"""What rsync is shown and called with, and what becomes of its answers. A script gives them; tests/publish has it."""
from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

from tests.unit.roles import library, module_utils
from tests.unit.roles.hostile import HostileTest

module: Any = library('upload-logs-base', 'upload_logs_rsync')
snapshot: Any = module_utils('upload_logs_snapshot')
tree: Any = module_utils('upload_logs_tree')
REQUEST = {'role': 'upload-logs', 'root': '/srv/logs', 'path': 'ab/cd', 'live': [], 'pack': False, 'timeout': 60,
           'host': 'h', 'port': '', 'user': '', 'ssh_executable': 'ssh', 'ssh_args': '', 'private_key_file': ''}


class TestSnapshot(HostileTest):
    def take(self, **other: Any) -> Any:
        self.target = self.base / 'snapshot'
        self.target.mkdir()
        with tree.Tree(str(self.tree)) as logs:
            return snapshot.take(logs, str(self.target), **{'live': (), 'pack': False, **other})

    def test_the_worst_output(self) -> None:
        self.make('--empty', '100', '--sparse', '0')
        (self.tree / 'hard/outside').unlink()
        made = self.take()
        self.assertGreater(made.links, 5)
        for path in self.target.rglob('*'):
            self.assertTrue(path.is_dir() or path.is_file(), path)
            self.assertFalse(path.is_symlink(), path)

    def test_swapped_for_links_meanwhile(self) -> None:
        self.make('--empty', '0', '--sparse', '0', '--deep', '1')
        (self.tree / 'hard/outside').unlink()
        outside = {path.stat().st_ino for path in self.outside.rglob('*') if path.is_file()}
        self.swap(60)
        for number in range(5):
            self.take()
            found = [path for path in self.target.rglob('*') if path.is_symlink() or path.stat().st_ino in outside]
            self.assertEqual(found, [])
            self.target.rename(self.base / f'snapshot-{number}')
        self.stop_swapping()

    def test_files_are_not_copied_but_those_that_grow(self) -> None:
        self.tree.mkdir()
        for name in ('a', 'job-output.txt'):
            (self.tree / name).write_text('x' * 10)
        self.assertEqual(self.take(live=('job-output.txt',), pack=True).files, 2)
        self.assertEqual((self.target / 'a').stat().st_ino, (self.tree / 'a').stat().st_ino)
        self.assertEqual(gzip.decompress((self.target / 'job-output.txt.gz').read_bytes()), b'x' * 10)


class TestCommand(HostileTest):
    def test_words(self) -> None:
        argv = module.command({**REQUEST, 'host': '::1', 'port': '22', 'user': 'me', 'private_key_file': '/k "1"',
                               'ssh_args': "-o 'A=b c'"}, '/work/tree')
        self.assertEqual(argv[-3:], ('--', '/work/tree/', '[::1]:/srv/logs/'))
        self.assertEqual(argv[argv.index('--rsh') + 1], '"ssh" "-o" "ControlPath=none" "-o" "BatchMode=yes" '
                         '"-o" "A=b c" "-p" "22" "-l" "me" "-i" "/k ""1"""')
        self.assertFalse({'--links', '-l', '--copy-links', '-L', '--archive', '-a', '--delete'}.intersection(argv))

    def test_what_makes_no_sense(self) -> None:
        self.tree.mkdir()
        fine = {**REQUEST, 'source': str(self.tree), 'scratch': str(self.base)}
        module.check(fine)
        (self.base / 'link').symlink_to(self.tree)
        for other in ({'root': 'srv'}, {'root': '/srv/a b'}, {'root': '/srv/$(id)'}, {'root': ''}, {'path': '../x'},
                      {'path': 'a//b'}, {'host': '-oProxyCommand=id'}, {'host': ''}, {'host': 'a b'}, {'timeout': 0},
                      {'source': str(self.base / 'link')}, {'scratch': '/nowhere'}):
            with self.subTest(other=other), self.assertRaisesRegex(module.Refused, '1 problem:'):
                module.check({**fine, **other})

    def rsync(self, *codes: int, said: str = '') -> tuple[str, ...]:
        """A program that ends with one code after the other."""
        state = self.base / 'codes'
        state.write_text(''.join(f'{code}\n' for code in codes))
        program = self.base / 'rsync'
        program.write_text(f'#!/bin/sh\necho deep/\necho sent\necho "{said}" >&2\n'
                           f'code=$(head -n1 {state}); sed -i 1d {state}; exit $code\n')
        program.chmod(0o755)
        return (str(program),)

    def send(self, *codes: int, said: str = '') -> tuple[list[str], list[str], list[float]]:
        pauses: list[float] = []
        sent, problems = module.send(self.rsync(*codes, said=said), time.monotonic() + 60, pauses.append)
        return sent, problems, pauses

    def test_answers(self) -> None:
        self.assertEqual(self.send(0), (['sent'], [], []))
        self.assertEqual(self.send(255, 12, 0), (['sent'], [], [1, 2]))
        self.assertEqual(self.send(23, said='rsync: a: denied')[:2], (['sent'], ['rsync: a: denied']))
        for codes, why in (((255,) * 4, 'rsync ended with 255: no route; 1 files had been sent'),
                           ((11,), 'ended with 11')):
            with self.assertRaisesRegex(module.Refused, why):
                self.send(*codes, said='no route')

    def test_no_time_and_no_rsync(self) -> None:
        sleeper = self.base / 'rsync'
        sleeper.write_text('#!/bin/sh\nexec sleep 30\n')
        sleeper.chmod(0o755)
        begun = time.monotonic()
        with self.assertRaisesRegex(module.Refused, 'not done in time'):
            module.send((str(sleeper),), begun + 0.3)
        self.assertLess(time.monotonic() - begun, 5)
        with self.assertRaisesRegex(module.Refused, 'cannot start rsync'):
            module.send((str(self.base / 'nowhere'),), begun + 5)

    def test_nothing_is_left_behind(self) -> None:
        self.tree.mkdir()
        (self.tree / 'a').touch()
        path = os.environ['PATH']
        self.addCleanup(os.environ.__setitem__, 'PATH', path)
        os.environ['PATH'] = f'{Path(self.rsync(11)[0]).parent}:{path}'
        with self.assertRaises(module.Refused):
            module.publish({**REQUEST, 'source': str(self.tree), 'scratch': str(self.base)})
        self.assertEqual([entry for entry in os.listdir(self.base) if entry.startswith('.publish')], [])
